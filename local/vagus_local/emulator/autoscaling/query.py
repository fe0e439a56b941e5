"""The query protocol, by botocore's model of Auto Scaling: parameters to a dict, a dict to XML."""

import datetime
import uuid
from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape

import botocore.loaders
from botocore.model import ListShape, OperationModel, ServiceModel, Shape, StructureShape

from vagus_local.emulator.seams import Answer

_NAMESPACE = "http://autoscaling.amazonaws.com/doc/2011-01-01/"
_MODEL = ServiceModel(botocore.loaders.Loader().load_service_model("autoscaling", "service-2"), "autoscaling")

type Action = Callable[[dict[str, Any]], dict[str, Any]]


class Refusal(Exception):
    """The service refuses: an error code and its sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


def invalid(message: str) -> Refusal:
    return Refusal("ValidationError", message)


def handler(name: str, action: Action) -> Callable[[dict[str, Any]], Answer]:
    """What ministack's action table wants for operation `name`."""
    operation = _MODEL.operation_model(name)

    def handle(parameters: dict[str, Any]) -> Answer:
        try:
            request = _request(operation, parameters)
            return _answer(200, _response(operation, action(request)))
        except Refusal as refusal:
            return _answer(400, _error(refusal))

    return handle


def _answer(status: int, body: str) -> Answer:
    return status, {"Content-Type": "application/xml"}, body.encode()


# ------------------------------------------------------------------ parameters


def _request(operation: OperationModel, parameters: dict[str, Any]) -> dict[str, Any]:
    shape = operation.input_shape
    if not isinstance(shape, StructureShape):
        return {}
    flat = {key: value[0] if isinstance(value, list) else value for key, value in parameters.items()}
    parsed = _structure(shape, "", flat)
    if missing := [name for name in shape.required_members if name not in parsed]:
        raise invalid(f"The request is missing {', '.join(missing)}")
    return parsed


def _structure(shape: StructureShape, prefix: str, flat: dict[str, str]) -> dict[str, Any]:
    found = ((name, _value(member, prefix + name, flat)) for name, member in shape.members.items())
    return {name: value for name, value in found if value is not None}


def _value(shape: Shape, name: str, flat: dict[str, str]) -> Any:
    if isinstance(shape, StructureShape):
        return _structure(shape, name + ".", flat) if any(key.startswith(name + ".") for key in flat) else None
    if isinstance(shape, ListShape):
        return _list(shape, name, flat)
    text = flat.get(name)
    return None if text is None else _scalar(shape, text)


def _list(shape: ListShape, name: str, flat: dict[str, str]) -> list[Any] | None:
    if flat.get(name) == "":
        return []
    items: list[Any] = []
    while (item := _value(shape.member, f"{name}.member.{len(items) + 1}", flat)) is not None:
        items.append(item)
    return items or None


def _scalar(shape: Shape, text: str) -> Any:
    if shape.type_name in ("integer", "long"):
        if not text.lstrip("-").isdigit():
            raise invalid(f"{text!r} is not a number")
        return int(text)
    return text.lower() == "true" if shape.type_name == "boolean" else text


# ------------------------------------------------------------------ XML


def _response(operation: OperationModel, body: dict[str, Any]) -> str:
    name, inner = operation.name, ""
    if isinstance(operation.output_shape, StructureShape):
        inner = f"<{name}Result>{_xml(operation.output_shape, body)}</{name}Result>"
    metadata = f"<ResponseMetadata><RequestId>{uuid.uuid4()}</RequestId></ResponseMetadata>"
    return f'<{name}Response xmlns="{_NAMESPACE}">{inner}{metadata}</{name}Response>'


def _xml(shape: Shape, value: Any) -> str:
    if isinstance(shape, StructureShape):
        shown = ((name, member, value.get(name)) for name, member in shape.members.items())
        return "".join(f"<{name}>{_xml(member, v)}</{name}>" for name, member, v in shown if v is not None)
    if isinstance(shape, ListShape):
        return "".join(f"<member>{_xml(shape.member, item)}</member>" for item in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime.datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return escape(str(value))


def _error(refusal: Refusal) -> str:
    said = f"<Type>Sender</Type><Code>{refusal.code}</Code><Message>{escape(refusal.message)}</Message>"
    request = f"<RequestId>{uuid.uuid4()}</RequestId>"
    return f'<ErrorResponse xmlns="{_NAMESPACE}"><Error>{said}</Error>{request}</ErrorResponse>'
