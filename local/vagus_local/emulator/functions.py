"""Lambda: a function has its own interpreter, AWS's import order, no host environment, and its errors keep their class.

Plain ministack runs functions in the emulator's interpreter (whose packages are then importable), runs another Python
in silence when the wanted one is missing, and calls every error `Runtime.HandlerError`, so that Retry and Catch never
match.
"""

import json
import os
import threading
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from vagus_local.emulator.seams import Properties, also, call, replace, swap

_KEEP = ("AWS_", "LAMBDA_", "_LAMBDA", "_HANDLER", "_X_AMZN", "LANG", "TZ", "LD_LIBRARY_PATH")
_PREFIX = "LAMBDA_PYTHON_"
_INIT_FAILED = "Worker init failed: "
_last = threading.local()


def _worker_script(script: str) -> str:
    init = 'env = init.get("env", {})'
    script = swap(
        script,
        init,
        f"""{init}
    for _k in list(os.environ):
        if not _k.startswith({_KEEP!r}): del os.environ[_k]
    os.environ["PATH"] = "/usr/local/bin:/usr/bin:/bin"
    sys.path = [p for p in sys.path if p and p != os.path.dirname(os.path.abspath(__file__))]""",
    )
    depth = "    _ms_install_invoke_depth()\n    try:"
    script = swap(script, depth, "    sys.path.remove(code_dir); sys.path.insert(0, code_dir)\n" + depth)
    script = swap(script, '"error": str(e), "trace"', '"error": str(e), "etype": type(e).__name__, "trace"')
    return swap(script, '{"status": "error", "error": str(e)}', '{"status": "error", "error": ' + _IMPORT_ERROR + "}")


_IMPORT_ERROR = (
    '("Runtime.ImportModuleError: Unable to import module %r: %s" % (module_name, e))'
    ' if isinstance(e, ImportError) else "%s: %s" % (type(e).__name__, e)'
)


def interpreters() -> dict[str, str]:
    """Python version -> interpreter, from LAMBDA_PYTHON_3_13=/path and the like."""
    return {k[len(_PREFIX) :].replace("_", "."): v for k, v in os.environ.items() if k.startswith(_PREFIX)}


def _detector(old: Any) -> Any:
    known = interpreters()

    def detect(runtime: str) -> tuple[str, str]:
        if not runtime.startswith("python"):
            other: tuple[str, str] = old(runtime)
            return other
        wanted = runtime.removeprefix("python")
        if wanted not in known:
            raise RuntimeError(
                f"Runtime.Unavailable: no interpreter for {runtime}; set {_PREFIX}{wanted.replace('.', '_')} to one"
            )
        return known[wanted], lambda_runtime._PYTHON_WORKER_SCRIPT

    return detect


def _remembering(old: Any) -> Any:
    def invoke(self: Any, *arguments: Any, **options: Any) -> Any:
        _last.result = result = old(self, *arguments, **options)
        return result

    return invoke


def _named_errors(old: Any) -> Any:
    def execute(*arguments: Any, **options: Any) -> Any:
        _last.result = {}
        out = old(*arguments, **options)
        if out.get("error") and isinstance(out["body"], dict):
            out["body"] |= _error(str(out["body"]["errorMessage"]), _last.result or {})
        return out

    return execute


def _error(message: str, result: dict[str, Any]) -> dict[str, Any]:
    """errorType, errorMessage and stackTrace as the Lambda runtime gives them."""
    if result.get("etype"):
        return {"errorType": result["etype"], "stackTrace": str(result["trace"]).splitlines()}
    if message.startswith(_INIT_FAILED):
        kind, _, text = message.removeprefix(_INIT_FAILED).partition(": ")
        return {"errorType": kind, "errorMessage": text}
    return {}


def _dropped(name: str, properties: Properties) -> None:
    """What CloudFormation drops: reserved concurrency (enforced by ministack), DLQ, VPC, logging."""
    record = lambda_svc._functions[name]
    reserved = properties.get("ReservedConcurrentExecutions")
    record["concurrency"] = None if reserved is None else int(reserved)
    for key in ("DeadLetterConfig", "VpcConfig", "LoggingConfig", "TracingConfig", "EphemeralStorage"):
        if key in properties:
            record["config"][key] = properties[key]


def _dead_letters(old: Any) -> Any:
    """A function's dead-letter queue gets the event as it was; only a destination gets an envelope around it."""

    def route(target: str, name: str, event: Any, result: dict[str, Any]) -> None:
        queue = (lambda_svc._functions[name]["config"].get("DeadLetterConfig") or {}).get("TargetArn", "")
        if target != queue or ":sqs:" not in queue:
            old(target, name, event, result)
            return
        said = str((result.get("body") or {}).get("errorMessage", ""))[:1024]
        call(
            "sqs",
            "send_message",
            QueueUrl=call("sqs", "get_queue_url", QueueName=queue.rsplit(":", 1)[1])["QueueUrl"],
            MessageBody=json.dumps(event),
            MessageAttributes={
                "ErrorCode": {"DataType": "Number", "StringValue": "200"},
                "ErrorMessage": {"DataType": "String", "StringValue": said or "Unhandled"},
            },
        )

    return route


def install() -> None:
    replace(lambda_svc, "_route_async_failure", _dead_letters(lambda_svc._route_async_failure))
    lambda_runtime._PYTHON_WORKER_SCRIPT = _worker_script(lambda_runtime._PYTHON_WORKER_SCRIPT)
    replace(lambda_runtime, "_detect_runtime_binary", _detector(lambda_runtime._detect_runtime_binary))
    replace(lambda_runtime.Worker, "invoke", _remembering(lambda_runtime.Worker.invoke))
    replace(lambda_svc, "_execute_function_warm", _named_errors(lambda_svc._execute_function_warm))
    also("AWS::Lambda::Function", _dropped)
