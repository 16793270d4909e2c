using System;
using System.Net.Http;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using System.Threading.Tasks;

// A call-flow script of 3CX, in front of precall: it asks precall for each call, waits at most 3 s, and takes the
// caller to people when precall does not answer. docs/3CX.md says how to use it, and what it does not cover.
// Of 3CX's classes it uses what their help names. No PBX of ours has compiled it.
public class FrontDoor : ScriptBase<FrontDoor>
{
    // Set these.
    const string Url = "https://precall.example.com/webhook/3cx";
    const string Secret = "THREECX_WEBHOOK_SECRET";
    const string RoutePoint = "900";   // THREECX_CLIENT_ID
    const string Default = "100";      // People: a queue, a ring group, an extension. It must not lead back here.
    const bool CallsBack = false;      // true on route `callback`: precall phones the caller, and this call ends.
    const int RingSeconds = 10;
    const int DefaultRingSeconds = 60;

    public override async void Start()
    {
        string status = await Ask(MyCall.CallID.ToString(), MyCall.Caller.CallerID, MyCall.Caller.CalledNumber);
        // A caller who is `rejected` is not phoned.
        if (CallsBack && (status == "accepted" || status == "duplicate"))
        {
            MyCall.Return(true);
            return;
        }
        if (!CallsBack && status != null)
        {
            // Comes back without a route when nobody answers within RingSeconds, or the leg is dropped.
            await TryRouteTo(RoutePoint, RingSeconds);
        }
        // After a route that succeeded the script has no call any more, and these two do nothing.
        await TryRouteTo(Default, DefaultRingSeconds);
        MyCall.Return(false);
    }

    async Task TryRouteTo(string destination, int seconds)
    {
        try { await MyCall.RouteTo(destination, null, seconds); }
        catch (Exception) { /* Not routed: the next destination follows. */ }
    }

    // Asks precall. Returns the `status` of its answer, "" for another 2xx, null when precall does not take the call.
    // --- as in the other file ---
    static async Task<string> Ask(string callId, string caller, string called)
    {
        try
        {
            string body = "{\"event_type\":\"IncomingCall\",\"direction\":\"In\",\"call_id\":" + Quoted(callId)
                + ",\"caller_id\":" + Quoted(caller) + ",\"called_number\":" + Quoted(called) + "}";
            string time = DateTimeOffset.UtcNow.ToUnixTimeSeconds().ToString();
            byte[] tag;
            using (var hmac = new HMACSHA256(Encoding.UTF8.GetBytes(Secret)))
            {
                // Over exactly the bytes that are sent.
                tag = hmac.ComputeHash(Encoding.UTF8.GetBytes(time + "." + body));
            }
            string hex = BitConverter.ToString(tag).Replace("-", "").ToLowerInvariant();
            using (var request = new HttpRequestMessage(HttpMethod.Post, Url))
            {
                request.Content = new StringContent(body, Encoding.UTF8, "application/json");
                request.Headers.Add("X-3CX-Signature", "t=" + time + ",v0=" + hex);
                using (HttpResponseMessage answer = await Http.SendAsync(request))
                {
                    if (!answer.IsSuccessStatusCode) { return null; }
                    string said = await answer.Content.ReadAsStringAsync();
                    return Regex.Match(said, "\"status\"\\s*:\\s*\"([a-z_]*)\"").Groups[1].Value;
                }
            }
        }
        catch (Exception) { return null; /* Refused connection, no answer in time, no name, no certificate. */ }
    }

    // A redirect is not followed: it would turn the POST into a GET of a login page, which is a 200.
    // The time limit covers name, connection, answer and body.
    static readonly HttpClient Http = new HttpClient(new HttpClientHandler { AllowAutoRedirect = false })
    {
        Timeout = TimeSpan.FromSeconds(3)
    };

    // A JSON text.
    static string Quoted(string text)
    {
        var quoted = new StringBuilder("\"");
        foreach (char letter in text ?? "")
        {
            bool isPlain = letter >= ' ' && letter != '"' && letter != '\\';
            quoted.Append(isPlain ? letter.ToString() : "\\u" + ((int)letter).ToString("x4"));
        }
        return quoted.Append('"').ToString();
    }
    // --- as in the other file ---
}
