-- Stands in for Envoy around examples/envoy-lua/gateway.lua. Its calls go to a replica by curl; after each step it prints the step and the rows.
-- Arguments: the script, the replica's URL, how the first select is answered: "200", or "lost" for not at all.
local script, url, first_select = arg[1], arg[2], arg[3]
dofile(script)

local function curl(method, path, body)
    local file = os.tmpname()
    local out = io.open(file, "w")
    out:write(body or "")
    out:close()
    local data = body and ("--data-binary @" .. file) or ""
    local pipe = io.popen(string.format("curl -s -m 10 -w '\\n%%{http_code}' -X %s %s '%s%s'", method, data, url, path))
    local text = pipe:read("*a")
    pipe:close()
    os.remove(file)
    return string.match(text, "\n(%d+)$"), string.gsub(text, "\n%d+$", "")
end

local function step(name)
    local _, rows = curl("GET", "/v1/load/stats?cluster=envoy", nil)
    print(name .. " " .. string.match(rows, '"data":(%[.*%]),"trace_id"'))
end

local metadata, engine, answered = {}, nil, nil
local headers = { ["x-request-id"] = arg[4], ["x-engine"] = "6.6.6.6:1" }
local handle = {}
function handle:headers()
    return {
        get = function(_, name) return headers[name] end,
        remove = function(_, name) headers[name] = nil end,
        replace = function(_, name, value) headers[name] = value end,
    }
end
function handle:streamInfo()
    return {
        dynamicMetadata = function()
            return {
                set = function(_, filter, key, value) metadata[filter] = { [key] = value } end,
                get = function(_, filter) return metadata[filter] end,
            }
        end,
    }
end
function handle:body()
    local text = arg[5]
    return { length = function() return #text end, getBytes = function(_, from, to) return string.sub(text, from + 1, from + to) end }
end
function handle:respond(answer, _) answered = answer[":status"] end
function handle:httpCall(_, sent, body, _, asynchronous)
    local status, text = curl(sent[":method"], sent[":path"], body)
    if asynchronous then return end
    if first_select == "lost" then
        first_select = "200"
        return { [":status"] = "504" }, "upstream request timeout"
    end
    return { [":status"] = status }, text
end
function handle:bodyChunks()
    local chunks, i = { "", "one", "two" }, 0
    return function()
        i = i + 1
        if i > 1 then step("after chunk " .. i - 1) end
        local chunk = chunks[i]
        return chunk and { length = function() return #chunk end }
    end
end

envoy_on_request(handle)
print("engine " .. tostring(headers["x-engine"]) .. " answered " .. tostring(answered))
step("booked")
if not answered then envoy_on_response(handle) end
step("ended")
