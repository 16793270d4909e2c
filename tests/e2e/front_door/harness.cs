// Stands in for 3CX's classes, so that the scripts of deploy/3cx run outside of a PBX. It prints what the script does.
// Arguments: `script` or `designer`, then the destinations that do not answer.
using System;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

public class ScriptBase<T>
{
    protected Call MyCall = new Call();
    public virtual void Start() { }
}

public class Caller
{
    public string CallerID = "+12025550142";
    public string CalledNumber = "+1202\"555\\0199";
}

public class Call
{
    public static string[] Unanswered = { };
    public static readonly ManualResetEventSlim Over = new ManualResetEventSlim();
    static bool routed;
    public int CallID = 77001;
    public Caller Caller = new Caller();

    public Task RouteTo(string destination, string reason, int seconds)
    {
        if (routed) { return Task.CompletedTask; }
        if (Unanswered.Contains(destination)) { throw new InvalidOperationException("not answered"); }
        routed = true;
        Console.WriteLine("routed to " + destination);
        return Task.CompletedTask;
    }

    public void Return(bool handled)
    {
        if (!routed) { Console.WriteLine("returned " + handled); }
        Over.Set();
    }
}

public static class Harness
{
    public static int Main(string[] arguments)
    {
        Call.Unanswered = arguments.Skip(1).ToArray();
        if (arguments[0] == "designer")
        {
            bool takes = FrontDoorOfDesigner.PrecallTakes("77001", "+12025550142", "+12025550199");
            Console.WriteLine(takes ? "precall takes it" : "people take it");
            return 0;
        }
        new FrontDoor().Start();
        return Call.Over.Wait(TimeSpan.FromSeconds(20)) ? 0 : 1;
    }
}
