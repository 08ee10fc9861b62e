"""Reports LiteLLM's requests to Metadata Center: a custom callback, in Python's standard library.

    from metadata_center import MetadataCenterCallback
    litellm.callbacks = [MetadataCenterCallback(["10.0.1.1:8080", "10.0.1.2:8080"])]

or, for the proxy, `callbacks: metadata_center.callback` in its config and MC_REPLICAS in its environment.
"""

import http.client
import ipaddress
import itertools
import json
import os
import threading
import time
import uuid
import zlib
from collections import OrderedDict, deque
from urllib.parse import urlsplit

try:
    from litellm.integrations.custom_logger import CustomLogger
except ImportError:  # Its test drives the hooks itself.
    CustomLogger = object

# What a token of English text has on average; a tokenizer would know better.
BYTES_PER_TOKEN = 4


class Reporter:
    """Sends reports in the background, in batches, to the first replica that answers. Bounded; deletes are given up last."""

    def __init__(self, replicas, token=None, timeout_s=0.1, max_waiting=10_000):
        self._replicas = sorted(replicas, key=lambda address: zlib.crc32(address.encode()))
        self._token = token
        self._timeout_s = timeout_s
        self._max_waiting = max_waiting
        self._waiting = deque()
        self._changed = threading.Condition()
        self._sending = False
        self.given_up = 0
        self.refused = []
        threading.Thread(target=self._run, name="metadata-center", daemon=True).start()

    def report(self, op, **members):
        # Every copy has the same bytes, so a copy counts nothing twice.
        event = json.dumps({"op": op, **members})
        with self._changed:
            if len(self._waiting) >= self._max_waiting * (2 if op == "delete" else 1):
                self.given_up += 1
                return
            self._waiting.append(event)
            self._changed.notify_all()

    def flush(self, timeout_s=5.0):
        """Whether everything was told within that time."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._sending, timeout_s)

    def _run(self):
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                batch = list(itertools.islice(self._waiting, 128))
                self._sending = True
            told = self._send('{"events":[' + ",".join(batch) + "]}")
            with self._changed:
                if told:
                    for _ in batch:
                        self._waiting.popleft()
                self._sending = False
                self._changed.notify_all()
            if not told:
                time.sleep(0.1)

    def _send(self, body):
        headers = {"Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        for address in list(self._replicas):
            connection = http.client.HTTPConnection(address, timeout=self._timeout_s)
            try:
                connection.request("POST", "/v1/load/batch", body.encode(), headers)
                response = connection.getresponse()
                answer = response.read()
            except (OSError, http.client.HTTPException):
                self._next(address)
                continue
            finally:
                connection.close()
            if response.status == 408 or response.status >= 500:
                self._next(address)
                continue
            failed = json.loads(answer)["data"]["failed"] if response.status == 200 else [{"code": response.status}]
            # Codes for copies say that an earlier one arrived.
            self.refused += [each for each in failed if each["code"] not in (40001000, 40001404)][: 100 - len(self.refused)]
            return True
        return False

    def _next(self, address):
        self._replicas.remove(address)
        self._replicas.append(address)


class MetadataCenterCallback(CustomLogger):
    """One request of LiteLLM is one request here, from when it is sent to an engine until it is over."""

    MAX_IN_FLIGHT = 100_000

    def __init__(self, replicas, token=None, **options):
        super().__init__()
        self.reporter = Reporter(replicas, token, **options)
        self._in_flight = OrderedDict()
        self._lock = threading.Lock()

    # What LiteLLM calls.

    def log_pre_api_call(self, model, messages, kwargs):
        call_id = kwargs.get("litellm_call_id")
        params = kwargs.get("litellm_params") or {}
        api_base = (kwargs.get("additional_args") or {}).get("api_base") or params.get("api_base") or ""
        ip = _address_of(api_base)
        if call_id is None or ip is None:
            return
        # Another attempt of the same call is another request: it may go to another engine.
        self._end(call_id)
        request_id = str(uuid.uuid4())
        with self._lock:
            if len(self._in_flight) >= self.MAX_IN_FLIGHT:
                return
            self._in_flight[call_id] = [request_id, False]
        self.reporter.report(
            "add",
            cluster=(params.get("metadata") or {}).get("model_group") or model,
            request_id=request_id,
            ip=ip,
            prompt_length=len(json.dumps(messages, default=str).encode()) // BYTES_PER_TOKEN,
            timestamp=time.time_ns(),
        )

    def log_stream_event(self, kwargs, response_obj, start_time, end_time):
        self._first_token(kwargs.get("litellm_call_id"))

    async def async_log_stream_event(self, kwargs, response_obj, start_time, end_time):
        self._first_token(kwargs.get("litellm_call_id"))

    def log_success_event(self, kwargs, response_obj, start_time, end_time):
        self._success(kwargs)

    async def async_log_success_event(self, kwargs, response_obj, start_time, end_time):
        self._success(kwargs)

    def log_failure_event(self, kwargs, response_obj, start_time, end_time):
        self._end(kwargs.get("litellm_call_id"))

    async def async_log_failure_event(self, kwargs, response_obj, start_time, end_time):
        self._end(kwargs.get("litellm_call_id"))

    def _success(self, kwargs):
        # Some versions tell of each chunk of a stream as a success; the last one has the whole response with it.
        wholes = ("complete_streaming_response", "async_complete_streaming_response")
        is_chunk = kwargs.get("stream") and all(kwargs.get(name) is None for name in wholes)
        if is_chunk:
            self._first_token(kwargs.get("litellm_call_id"))
        else:
            self._end(kwargs.get("litellm_call_id"))

    def _first_token(self, call_id):
        with self._lock:
            booking = self._in_flight.get(call_id)
            if booking is None or booking[1]:
                return
            booking[1] = True
        self.reporter.report("prompt-delete", request_id=booking[0])

    def _end(self, call_id):
        with self._lock:
            booking = self._in_flight.pop(call_id, None)
        if booking is not None:
            self.reporter.report("delete", request_id=booking[0])


def _address_of(api_base):
    """The engine's IPv4 address; None for what is no engine of ours, such as a provider's name."""
    host = urlsplit(api_base if "//" in api_base else f"//{api_base}").hostname
    try:
        return str(ipaddress.IPv4Address(host))
    except ValueError:
        return None


if "MC_REPLICAS" in os.environ:
    callback = MetadataCenterCallback(
        os.environ["MC_REPLICAS"].split(","), os.environ.get("MC_TOKEN")
    )
