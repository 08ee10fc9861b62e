"""Calls the hooks of examples/litellm in LiteLLM's order, and prints after each step what a replica says of the rows."""

import asyncio
import json
import sys
import time
import urllib.request

folder, address, waits = sys.argv[1], sys.argv[2], sys.argv[3] == "waits"
sys.path.insert(0, folder)
from metadata_center import MetadataCenterCallback  # noqa: E402

callback = MetadataCenterCallback([address], timeout_s=5)


def call(call_id, engine, **more):
    return {
        "litellm_call_id": call_id,
        "litellm_params": {"api_base": f"http://{engine}:8000/v1", "metadata": {"model_group": "litellm"}},
        **more,
    }


def begin(kwargs):
    callback.log_pre_api_call("openai/llama", [{"role": "user", "content": "Hello"}], kwargs)


def step(name):
    assert callback.reporter.flush(60), "the reports are not told"
    with urllib.request.urlopen(f"http://{address}/v1/load/stats?cluster=litellm", timeout=30) as response:
        rows = json.load(response)["data"]
    print(name, json.dumps([[row["ip"], row["queued_req_num"], row["prompt_length"] > 0] for row in rows]), flush=True)


if waits:
    begin(call("w", "10.0.0.1"))
    time.sleep(0.3)
    print("reported", flush=True)
    step("told")
    sys.exit()

stream = call("a", "10.0.0.1", stream=True)
begin(stream)
step("begun")
callback.log_success_event(stream, {}, 0, 0)
asyncio.run(callback.async_log_stream_event(stream, {}, 0, 0))
step("first token")
stream["complete_streaming_response"] = {}
asyncio.run(callback.async_log_success_event(stream, {}, 0, 0))
callback.log_success_event(stream, {}, 0, 0)
step("over")

whole = call("b", "10.0.0.1")
begin(whole)
callback.log_success_event(whole, {}, 0, 0)
failed = call("c", "10.0.0.1")
begin(failed)
asyncio.run(callback.async_log_failure_event(failed, None, 0, 0))
step("whole and failed")

begin(call("d", "10.0.0.1"))
begin(call("d", "10.0.0.2"))
step("retried elsewhere")
callback.log_failure_event(call("d", "10.0.0.2"), None, 0, 0)
begin(call("e", "api.provider.test"))
step("nothing of ours")
print("refused", json.dumps(callback.reporter.refused), callback.reporter.given_up)
