-- wrk: every request another signed body. BENCH_BODIES is a file of "<signature> <body>" lines,
-- BENCH_SKIP how many of them earlier rounds have used, BENCH_PATH where to post.
local requests, used = {}, 0

function init()
  local skip = tonumber(os.getenv("BENCH_SKIP"))
  local n = 0
  for line in io.lines(os.getenv("BENCH_BODIES")) do
    n = n + 1
    if n > skip then
      local signature, body = line:match("^(%S+) (.*)$")
      local headers = {["Content-Type"] = "application/json", ["Agora-Signature-V2"] = signature}
      requests[#requests + 1] = wrk.format("POST", os.getenv("BENCH_PATH"), headers, body)
      if #requests >= tonumber(os.getenv("BENCH_MOST")) then break end
    end
  end
end

function request()
  used = used + 1
  if used >= #requests then wrk.thread:stop() end
  return requests[math.min(used, #requests)]
end

function done(summary, latency)
  io.write(string.format('{"requests": %d, "seconds": %.6f, "errors": %d, "p50": %.6f, "p99": %.6f}\n',
    summary.requests, summary.duration / 1e6,
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    latency:percentile(50) / 1e6, latency:percentile(99) / 1e6))
end
