-- What wrk sends, by the first argument: `add`, `query`, or `life` (a query, an add, a prompt-delete, a delete; the steps of one life
-- lie hundreds of requests apart, so that each is answered long before the next one). The second argument makes the ids unique.
local kind, run
local n = 0

function init(args)
  kind, run = args[1], args[2]
end

local function with_body(method, path, body)
  return method .. " " .. path .. " HTTP/1.1\r\nHost: metadata-center:8080\r\nContent-Length: " .. #body .. "\r\n\r\n" .. body
end

local function add(i)
  return with_body("POST", "/v1/load/stats", string.format(
    '{"cluster":"wrk","request_id":"%s-%012d","prompt_length":%d,"ip":"10.0.0.%d","timestamp":1758350123456789012}',
    run, i, 100 + i % 4000, i % 16))
end

local function delete(path, i)
  return with_body("DELETE", path, string.format('{"cluster":"","request_id":"%s-%012d","ip":""}', run, i))
end

local query = "GET /v1/load/stats?cluster=engines-16 HTTP/1.1\r\nHost: metadata-center:8080\r\n\r\n"

function request()
  n = n + 1
  if kind == "add" then return add(n) end
  if kind == "query" then return query end
  local i, step = math.floor(n / 4), n % 4
  if step == 1 then return add(i) end
  if step == 2 and i > 150 then return delete("/v1/load/prompt", i - 75) end
  if step == 3 and i > 150 then return delete("/v1/load/stats", i - 150) end
  return query
end
