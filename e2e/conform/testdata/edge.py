"""An edge of another make, PyPI pysparkplug, born with a device, which sends one
value of each type and leaves when a line comes in. Arguments: the broker's host and
port, group, node."""
import datetime
import sys
import threading

import pysparkplug
from pysparkplug import DataType, Metric

host, port, group, node = sys.argv[1:]
now = pysparkplug.get_current_timestamp()

VALUES = (
    ("Int8", DataType.INT8, -7), ("Int16", DataType.INT16, -700), ("Int32", DataType.INT32, -70000), ("Int64", DataType.INT64, -7000000000),
    ("UInt8", DataType.UINT8, 200), ("UInt16", DataType.UINT16, 60000), ("UInt32", DataType.UINT32, 4000000000), ("UInt64", DataType.UINT64, 9007199254740991),
    ("Float", DataType.FLOAT, 21.25), ("Double", DataType.DOUBLE, 0.1), ("Boolean", DataType.BOOLEAN, True), ("String", DataType.STRING, "heiß"),
    ("DateTime", DataType.DATETIME, datetime.datetime.fromtimestamp(1700000000, datetime.timezone.utc)), ("FloatArray", DataType.FLOAT_ARRAY, (1.0, 2.5)),
)


def metrics(time, with_values):
    return tuple(Metric(timestamp=time, name=name, datatype=kind, value=v if with_values else None, is_null=not with_values) for name, kind, v in VALUES)


edge = pysparkplug.EdgeNode(group, node, metrics=metrics(now, False))
device = pysparkplug.Device("press", metrics=metrics(now, False))
edge.register(device)
born = threading.Event()  # the broker hands our own DBIRTH back
edge.subscribe(pysparkplug.Topic(message_type=pysparkplug.MessageType.DBIRTH, group_id=group, edge_node_id=node, device_id="press"), pysparkplug.QoS.AT_MOST_ONCE, lambda *_: born.set())
edge.connect(host, port=int(port))
if not born.wait(30):
    sys.exit("not born")
edge.update(metrics(now + 1, True))
edge.update_device("press", metrics(now + 1, True))
print("born", now, flush=True)
sys.stdin.readline()
edge.disconnect()
