-- Chooses the engine of each request with Metadata Center, and reports the first token and the end. Runs in Envoy's Lua filter.
local TIMEOUT_MS = 100
local ATTEMPTS = 3
local ENGINE_PORT = 8000
-- What a token of English text has on average; a tokenizer would know better.
local BYTES_PER_TOKEN = 4
-- The cluster of envoy.yaml behind which the replicas are. Envoy spreads the calls, and passes over replicas that fail.
local REPLICAS = "metadata_center"
local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\" }

local function quote(text)
    return '"' .. string.gsub(text, '[%c"\\]', function(c)
        return ESCAPES[c] or string.format("\\u%04x", string.byte(c))
    end) .. '"'
end

--- `options` of the call: nothing to wait for the answer, `asynchronous` not to.
local function call(handle, method, path, body, asynchronous)
    local headers = { [":method"] = method, [":path"] = path, [":authority"] = REPLICAS, ["content-type"] = "application/json" }
    return handle:httpCall(REPLICAS, headers, body, TIMEOUT_MS, asynchronous)
end

local function report(handle, path, id)
    call(handle, "DELETE", path, '{"request_id":' .. quote(id) .. "}", true)
end

local function select(handle, cluster, prompt_length, id)
    local own = id
    for attempt = 1, ATTEMPTS do
        local body = string.format(
            '{"request_id":%s,"cluster":%s,"prompt_length":%d}', quote(own), quote(cluster), prompt_length
        )
        local headers, answer = call(handle, "POST", "/v1/load/select", body, false)
        local status = headers and headers[":status"]
        if status == "200" then return string.match(answer, '"ip":"([%d.]+)"'), own end
        if status == "429" then return nil, nil, true end
        -- Our own 503 says that nothing was done; after anything else nobody knows where it is booked, if anywhere.
        if not string.find(answer or "", '"code":50301000', 1, true) then
            report(handle, "/v1/load/stats", own)
            own = id .. "-" .. attempt
        end
    end
end

function envoy_on_request(handle)
    local body = handle:body()
    local text = body and body:getBytes(0, body:length()) or ""
    local cluster = string.match(text, '"model"%s*:%s*"([^"\\]+)"')
    -- A caller must not name its engine itself.
    handle:headers():remove("x-engine")
    if not cluster then
        handle:respond({ [":status"] = "400" }, '{"error":{"message":"the body has no model"}}')
        return
    end
    local id = handle:headers():get("x-request-id")
    local ip, booked, busy = select(handle, cluster, math.ceil(#text / BYTES_PER_TOKEN), id)
    if not ip then
        local status = busy and "429" or "503"
        handle:respond({ [":status"] = status, ["retry-after"] = "1" }, '{"error":{"message":"no engine"}}')
        return
    end
    handle:headers():replace("x-engine", ip .. ":" .. ENGINE_PORT)
    handle:streamInfo():dynamicMetadata():set("metadata_center", "booked", booked)
end

function envoy_on_response(handle)
    local metadata = handle:streamInfo():dynamicMetadata():get("metadata_center")
    local booked = metadata and metadata["booked"]
    if not booked then return end
    local prefilled = false
    -- Each chunk is passed on as it comes.
    for chunk in handle:bodyChunks() do
        if not prefilled and chunk:length() > 0 then
            prefilled = true
            report(handle, "/v1/load/prompt", booked)
        end
    end
    report(handle, "/v1/load/stats", booked)
end
