"""The server of program_server.mjs once more, by asyncua: a PLC program is a list
of variables with their place, node id, unit, range and the band of their values.
It writes every value into a log before it offers it. Settings are the JSON of the
first argument; it ends with its stdin.
"""
import asyncio, json, logging, sys, time
from datetime import datetime, timezone

from asyncua import Server, ua

conf = json.loads(sys.argv[1])
logging.basicConfig(level=logging.ERROR)
UNITS = {"C": (4408652, "°C"), "bar": (4342098, "bar")}


async def main():
    server = Server()
    await server.init()
    server.set_endpoint("opc.tcp://127.0.0.1:%d" % conf["port"])
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    for uri in conf["spaces"]:
        ns = await server.register_namespace(uri)
    ns = await server.get_namespace_index("urn:test:mill")
    log = open(conf["log"], "a", buffering=1)
    log.write("\n")  # a killed server may have left a torn line
    folders, nodes = {}, []
    tick = conf.get("tick", 0)

    async def folder(names):
        parent = server.nodes.objects
        for i in range(len(names)):
            key = "/".join(names[: i + 1])
            if key not in folders:
                folders[key] = await parent.add_object(ua.NodeId(key, ns), ua.QualifiedName(names[i], ns))
            parent = folders[key]
        return parent

    def value(v):
        now = time.time_ns() // 1_000_000
        x = float(v["base"] + tick % 100)
        log.write(json.dumps([v["tag"] - 1, now, x, 0]) + "\n")
        return ua.DataValue(ua.Variant(x, ua.VariantType.Double), SourceTimestamp=datetime.fromtimestamp(now / 1000, timezone.utc))

    for v in conf["program"]:
        kind, _, ident = v["id"].partition("=")
        at = await folder(v["at"])
        n = await at.add_variable(ua.NodeId(int(ident) if kind == "i" else ident, ns), ua.QualifiedName(v["name"], ns), 0.0, ua.VariantType.Double)
        if v.get("unit"):
            number, name = UNITS[v["unit"]]
            await n.add_property(ua.NodeId(0, 0), ua.QualifiedName("EURange", 0), ua.Range(Low=float(v.get("low", 0)), High=float(v.get("high", 100))))
            await n.add_property(ua.NodeId(0, 0), ua.QualifiedName("EngineeringUnits", 0), ua.EUInformation(
                NamespaceUri="http://www.opcfoundation.org/UA/units/un/cefact", UnitId=number, DisplayName=ua.LocalizedText(name)))
        await server.write_attribute_value(n.nodeid, value(v))
        nodes.append((n, v))

    async def write():
        nonlocal tick
        while True:
            await asyncio.sleep(0.1)
            tick += 1
            for n, v in nodes:
                await server.write_attribute_value(n.nodeid, value(v))

    async with server:
        print("ready", flush=True)
        writer = asyncio.create_task(write())
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while await reader.readline():
            pass
        writer.cancel()


asyncio.run(main())
