-- What a gateway tells Metadata Center and asks it, over nginx's own sockets. One for each worker.
local M = {}

local TIMEOUT_MS = tonumber(os.getenv("TIMEOUT_MS") or 100)
local TOKEN = os.getenv("TOKEN")
local ATTEMPTS = 3
local BATCH = 128
local BATCH_DELAY_S = 0.002
local FIRST_REST_S, MAX_REST_S = 0.1, 5
-- Reports that wait: beyond the first limit only deletes are taken, beyond the second nothing.
local MAX_WAITING, MAX_WAITING_DELETES = 10000, 20000

local replicas = {}
for address in string.gmatch(os.getenv("REPLICAS") or "127.0.0.1:8080", "[^,]+") do
    local host, port = string.match(address, "^(.-):?(%d*)$")
    replicas[#replicas + 1] = { address = address, host = host, port = tonumber(port) or 8080, failures = 0, rests_until = 0 }
end

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\" }

--- A JSON string.
function M.quote(text)
    local escaped = string.gsub(text, '[%c"\\]', function(c)
        return ESCAPES[c] or string.format("\\u%04x", string.byte(c))
    end)
    return '"' .. escaped .. '"'
end

--- The replicas, the home of the key first (rendezvous hashing), those that rest last.
local function in_order(key)
    local now = ngx.now()
    local order = {}
    for i, replica in ipairs(replicas) do
        local rests = replica.rests_until > now and 1 or 0
        order[i] = { replica = replica, rests = rests, score = ngx.crc32_long(replica.address .. " " .. key) }
    end
    table.sort(order, function(a, b)
        if a.rests ~= b.rests then return a.rests < b.rests end
        return a.score > b.score
    end)
    return order
end

local function failed(replica)
    replica.failures = replica.failures + 1
    local rest = math.min(FIRST_REST_S * 2 ^ math.min(replica.failures - 1, 10), MAX_REST_S)
    replica.rests_until = ngx.now() + rest
end

--- Status and body, or nil where no whole answer came.
local function exchange(replica, path, body)
    local socket = ngx.socket.tcp()
    socket:settimeouts(TIMEOUT_MS, TIMEOUT_MS, TIMEOUT_MS)
    if not socket:connect(replica.host, replica.port) then return nil end
    local head = {
        "POST " .. path .. " HTTP/1.1",
        "Host: " .. replica.address,
        "Content-Type: application/json",
        "Content-Length: " .. #body,
    }
    if TOKEN then head[#head + 1] = "Authorization: Bearer " .. TOKEN end
    if not socket:send(table.concat(head, "\r\n") .. "\r\n\r\n" .. body) then socket:close() return nil end
    local line = socket:receive("*l")
    local status = line and tonumber(string.match(line, "^HTTP/1%.[01] (%d%d%d)"))
    local length, closes = nil, false
    while line and line ~= "" do
        line = socket:receive("*l")
        local name, value = string.match(line or "", "^([^:]+):%s*(.-)%s*$")
        name = name and string.lower(name)
        if name == "content-length" then length = tonumber(value) end
        if name == "connection" and string.lower(value) == "close" then closes = true end
    end
    local text = status and line and length and socket:receive(length)
    if not text then socket:close() return nil end
    if closes then socket:close() else socket:setkeepalive(10000, 32) end
    return status, text
end

--- The answer of the first replica that gives one. `body_of(attempt, lost)` makes the body of each attempt.
local function call(key, path, body_of)
    local order = in_order(key)
    local lost = false
    for attempt = 1, ATTEMPTS do
        local replica = order[(attempt - 1) % #order + 1].replica
        local status, text = exchange(replica, path, body_of(attempt, lost))
        if status and status < 500 and status ~= 408 then
            replica.failures, replica.rests_until = 0, 0
            return status, text, attempt
        end
        failed(replica)
        -- Our own 503 says that nothing was done; after anything else nobody knows.
        lost = not (status == 503 and string.find(text, '"code":50301000', 1, true)) and status ~= 408
    end
    return nil, nil, ATTEMPTS, lost
end

local waiting, sending = {}, false
M.given_up = 0

--- Until everything is told: what no replica takes now waits.
local function flush()
    while #waiting > 0 do
        local batch = {}
        for i = 1, math.min(BATCH, #waiting) do batch[i] = waiting[i].json end
        local body = '{"events":[' .. table.concat(batch, ",") .. "]}"
        local status, text = call("reports", "/v1/load/batch", function() return body end)
        if status then
            -- Codes for copies say that an earlier one arrived; any other refusal is for the log.
            if status ~= 200 or string.find(text, '"code":40001400', 1, true) then
                ngx.log(ngx.WARN, "metadata-center refused reports: ", text)
            end
            local rest = {}
            for i = #batch + 1, #waiting do rest[#rest + 1] = waiting[i] end
            waiting = rest
        else
            ngx.sleep(FIRST_REST_S)
        end
    end
    sending = false
end

--- One more report; `event` is the JSON of its members.
function M.report(op, event)
    local most = op == "delete" and MAX_WAITING_DELETES or MAX_WAITING
    if #waiting >= most then
        M.given_up = M.given_up + 1
        return
    end
    waiting[#waiting + 1] = { json = '{"op":"' .. op .. '",' .. string.sub(event, 2) }
    if sending then return end
    sending = ngx.timer.at(BATCH_DELAY_S, flush) and true or false
end

function M.forget(id)
    M.report("delete", '{"request_id":' .. M.quote(id) .. "}")
end

--- The engine that was chosen and the id under which the request counts there; or nil, and whether it is because all are busy.
function M.select(cluster, prompt_length, candidates, max_queued, id)
    local quoted = {}
    for i, ip in ipairs(candidates) do quoted[i] = M.quote(ip) end
    local tail = string.format(
        ',"cluster":%s,"prompt_length":%d,"candidates":[%s]%s,"timestamp":%.0f000000}',
        M.quote(cluster), prompt_length, table.concat(quoted, ","),
        max_queued and ',"max_queued":' .. max_queued or "", ngx.now() * 1000
    )
    local own = id
    local status, text, _, lost = call(cluster, "/v1/load/select", function(attempt, lost_before)
        if lost_before then
            -- Nobody knows where that one is booked, if anywhere: it is ended, and another one begun.
            M.forget(own)
            own = id .. "-" .. attempt
        end
        return '{"request_id":' .. M.quote(own) .. tail
    end)
    if not status then
        if lost then M.forget(own) end
        return nil, false
    end
    if status == 429 then return nil, true end
    local ip = status == 200 and string.match(text, '"ip":"([%d.]+)"')
    if not ip then ngx.log(ngx.ERR, "metadata-center: ", text) end
    return ip or nil, false, own
end

function M.add(cluster, prompt_length, ip, id)
    M.report("add", string.format(
        '{"request_id":%s,"cluster":%s,"ip":%s,"prompt_length":%d,"timestamp":%.0f000000}',
        M.quote(id), M.quote(cluster), M.quote(ip), prompt_length, ngx.now() * 1000
    ))
end

return M
