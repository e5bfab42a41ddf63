"""Reads and writes Sparkplug payloads with the PyPI library pysparkplug, one request
a line: {"decode": hex} or {"encode": payload}. Payloads are told in the terms of
codec_test.go. The library knows no properties; they are read and written with the
schema that it ships."""
import datetime
import json
import struct
import sys

import pysparkplug
from pysparkplug import DataType, Metric
from pysparkplug import _protobuf as schema


def bits(v):
    return struct.pack(">d", v).hex()


def number(text):
    return struct.unpack(">d", bytes.fromhex(text))[0]


def milliseconds(v):
    return str(round(v.timestamp() * 1000))


def tell(kind, v):
    """A value of the library as a text, an array as a list of texts."""
    if v is None:
        return None
    name = DataType(kind).name
    if name.endswith("_ARRAY"):
        one = {"FLOAT_ARRAY": bits, "DOUBLE_ARRAY": bits, "BOOLEAN_ARRAY": lambda x: str(x).lower(), "DATETIME_ARRAY": milliseconds}.get(name, str)
        return ",".join(one(x) for x in v)
    if name in ("FLOAT", "DOUBLE"):
        return bits(v)
    if name == "BOOLEAN":
        return str(v).lower()
    if name in ("BYTES", "FILE"):
        return v.hex()
    if name == "DATETIME":
        return milliseconds(v)
    return str(v)


def make(kind, text):
    if text is None:
        return None
    name = DataType(kind).name
    date = lambda x: datetime.datetime.fromtimestamp(int(x) / 1000, datetime.timezone.utc)
    if name.endswith("_ARRAY"):
        one = {"FLOAT_ARRAY": number, "DOUBLE_ARRAY": number, "BOOLEAN_ARRAY": lambda x: x == "true", "STRING_ARRAY": str, "DATETIME_ARRAY": date}.get(name, int)
        return tuple(one(x) for x in text.split(",")) if text else ()
    if name in ("FLOAT", "DOUBLE"):
        return number(text)
    if name == "BOOLEAN":
        return text == "true"
    if name in ("BYTES", "FILE"):
        return bytes.fromhex(text)
    if name == "DATETIME":
        return date(text)
    if name in ("STRING", "TEXT", "UUID"):
        return text
    return int(text)


def told_property(key, v):
    kind = DataType(v.type)
    value = None if v.is_null else getattr(v, v.WhichOneof("value"))
    if kind.field in ("int_value", "long_value") and value is not None:
        value = kind.decode(value)
    return {"key": key, "type": int(kind), "value": tell(kind, value)}


def told(raw):
    plain = schema.Payload.FromString(raw)
    if plain.HasField("seq"):
        p = pysparkplug.NData.decode(raw)
    else:
        p = pysparkplug.NCmd.decode(raw)
    return {
        "time": str(p.timestamp),
        "seq": str(p.seq) if hasattr(p, "seq") else None,
        "metrics": [
            {
                "name": m.name or "",
                "alias": None if m.alias is None else str(m.alias),
                "time": None if m.timestamp is None else str(m.timestamp),
                "type": int(m.datatype),
                "historical": m.is_historical,
                "transient": m.is_transient,
                "value": tell(m.datatype, m.value),
                "properties": [told_property(k, v) for k, v in zip(x.properties.keys, x.properties.values, strict=True)],
            }
            for m, x in zip(p.metrics, plain.metrics, strict=True)
        ],
    }


def made(p):
    metrics = tuple(
        Metric(
            timestamp=int(m["time"]),
            name=m["name"] or None,
            datatype=DataType(m["type"]),
            value=make(m["type"], m["value"]),
            alias=None if m["alias"] is None else int(m["alias"]),
            is_historical=m["historical"],
            is_transient=m["transient"],
            is_null=m["value"] is None,
        )
        for m in p["metrics"]
    )
    if p["seq"] is None:
        whole = pysparkplug.NCmd(timestamp=int(p["time"]), metrics=metrics)
    else:
        whole = pysparkplug.NData(timestamp=int(p["time"]), seq=int(p["seq"]), metrics=metrics)
    plain = schema.Payload.FromString(whole.encode(include_dtypes=True))
    for m, x in zip(p["metrics"], plain.metrics, strict=True):
        for q in m["properties"]:
            kind = DataType(q["type"])
            x.properties.keys.append(q["key"])
            v = x.properties.values.add(type=int(kind))
            if q["value"] is None:
                v.is_null = True
            else:
                setattr(v, kind.field, kind.encode(make(kind, q["value"])))
    return plain.SerializeToString()


for line in sys.stdin:
    request = json.loads(line)
    try:
        if "decode" in request:
            answer = {"payload": told(bytes.fromhex(request["decode"]))}
        else:
            answer = {"hex": made(request["encode"]).hex()}
    except Exception as err:
        answer = {"error": repr(err)}
    print(json.dumps(answer), flush=True)
