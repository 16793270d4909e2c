using System;
using System.Net.Http;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using System.Threading.Tasks;

// For an app of 3CX's Call Flow Designer, in a component that runs C#: it asks precall whether it takes the call, and
// waits at most 3 s. docs/3CX.md says what the app does with the answer. No Call Flow Designer of ours has compiled it.
public static class FrontDoorOfDesigner
{
    // Set these.
    const string Url = "https://precall.example.com/webhook/3cx";
    const string Secret = "THREECX_WEBHOOK_SECRET";
    const bool CallsBack = false;      // true on route `callback`: precall phones the caller, and this call ends.

    // True: transfer to precall's route point; on route `callback` end the call. False: transfer to people.
    public static bool PrecallTakes(string callId, string caller, string called)
    {
        string status = Task.Run(() => Ask(callId, caller, called)).GetAwaiter().GetResult();
        return CallsBack ? status == "accepted" || status == "duplicate" : status != null;
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
