-- The steps of a request through nginx, each called from the phase of the same purpose in nginx.conf.
local metadata_center = require "metadata_center"
local balancer = require "ngx.balancer"

local M = {}

local ENGINE_PORT = tonumber(os.getenv("ENGINE_PORT") or 8000)
local MAX_QUEUED = tonumber(os.getenv("MAX_QUEUED") or "")
-- What a token of English text has on average; a tokenizer would know better.
local BYTES_PER_TOKEN = 4
local engines = {}
for ip in string.gmatch(os.getenv("ENGINES") or "", "[^,]+") do engines[#engines + 1] = ip end

local function refuse(status, message)
    ngx.status = status
    ngx.header["Content-Type"] = "application/json"
    if status == 429 then ngx.header["Retry-After"] = "1" end
    ngx.say('{"error":{"message":"' .. message .. '"}}')
    return ngx.exit(status)
end

function M.book()
    ngx.req.read_body()
    local body = ngx.req.get_body_data() or ""
    local cluster = string.match(body, '"model"%s*:%s*"([^"\\]+)"')
    if not cluster then return refuse(400, "the body has no model") end
    local prompt_length = math.ceil(#body / BYTES_PER_TOKEN)
    local id = ngx.var.request_id
    local ip, busy, booked = metadata_center.select(cluster, prompt_length, engines, MAX_QUEUED, id)
    if busy then return refuse(429, "all engines are busy") end
    if not ip then
        -- No replica could say. Serving goes on without it, and the request is reported as soon as one can hear it.
        ip, booked = engines[math.random(#engines)], id .. "-added"
        metadata_center.add(cluster, prompt_length, ip, booked)
    end
    ngx.ctx.engine, ngx.ctx.booked = ip, booked
end

function M.balance()
    assert(balancer.set_current_peer(ngx.ctx.engine, ENGINE_PORT))
end

function M.first_token()
    local ctx = ngx.ctx
    if not ctx.booked or ctx.prefilled or ngx.arg[1] == "" then return end
    ctx.prefilled = true
    metadata_center.report("prompt-delete", '{"request_id":' .. metadata_center.quote(ctx.booked) .. "}")
end

function M.finish()
    if ngx.ctx.booked then metadata_center.forget(ngx.ctx.booked) end
end

return M
