"""A second foreign OPC UA server (asyncua) for the tests of package collector.

It writes every value into a log before it offers it. Settings are the JSON of
the first argument; commands come in as lines on stdin.
"""
import asyncio, json, logging, os, sys, time
from datetime import datetime, timezone

from asyncua import Server, ua
from asyncua.server.uaprocessor import UaProcessor
from asyncua.ua.ua_binary import struct_from_binary

conf = json.loads(sys.argv[1])
logging.basicConfig(level=logging.ERROR)

# What could change this server; a ConditionRefresh changes nothing.
CHANGING = {ua.NodeId(getattr(ua.ObjectIds, n + "Request_Encoding_DefaultBinary")): n for n in (
    "Write", "Call", "HistoryUpdate", "AddNodes", "AddReferences", "DeleteNodes", "DeleteReferences")}
REFRESH = (ua.NodeId(2782), ua.NodeId(3875))
process = UaProcessor._process_message


def refreshes(name, body):
    if name != "Call":
        return False
    calls = struct_from_binary(ua.CallParameters, body.copy()).MethodsToCall
    return bool(calls) and all((c.ObjectId, c.MethodId) == REFRESH for c in calls)


def watched(self, typeid, requesthdr, seqhdr, body):
    name = CHANGING.get(typeid)
    if name and not refreshes(name, body):
        with open(os.path.join(conf["dir"], "changing"), "a") as f:
            f.write(name + "\n")
    return process(self, typeid, requesthdr, seqhdr, body)


UaProcessor._process_message = watched


async def main():
    server = Server()
    await server.init()
    server.set_endpoint("opc.tcp://127.0.0.1:%d" % conf["port"])
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    for i in range(conf.get("shift", 0)):
        await server.register_namespace("urn:test:shift%d" % i)
    ns = await server.register_namespace("urn:test:mill")
    mill = await server.nodes.objects.add_object(ns, "Mill")
    log = open(conf["log"], "a", buffering=1)
    nodes = {}
    tick = conf.get("tick", 0)
    step = 0  # ms that the clock of the values is off

    def value(i):
        now = time.time_ns() // 1_000_000 + step
        v = tick + i / 1000
        log.write(json.dumps([i, now, v, 0]) + "\n")
        return ua.DataValue(ua.Variant(v, ua.VariantType.Double), SourceTimestamp=datetime.fromtimestamp(now / 1000, timezone.utc))

    async def add(i):
        n = await mill.add_variable(ua.NodeId("T%d" % i, ns), "T%d" % i, float(tick), ua.VariantType.Double)
        if conf.get("range"):
            await n.add_property(ua.NodeId("T%d.EURange" % i, ns), ua.QualifiedName("EURange", 0), ua.Range(0, conf["range"]))
        await server.write_attribute_value(n.nodeid, value(i))
        nodes[i] = n

    for i in range(conf["nodes"]):
        if i not in (conf.get("absent") or []):
            await add(i)
    running = asyncio.Event()
    running.set()

    async def write():
        nonlocal tick
        while True:
            await asyncio.sleep(0.1)
            await running.wait()
            tick += 1
            for i, n in list(nodes.items()):
                await server.write_attribute_value(n.nodeid, value(i))

    async with server:
        print("ready", flush=True)
        writer = asyncio.create_task(write())
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            cmd = line.decode().strip()
            word, _, arg = cmd.partition(" ")
            if word == "halt":
                running.clear()
            elif word == "run":
                running.set()
            elif word == "step":
                step += int(arg)
            elif word == "add":
                await add(int(arg))
            elif word == "starve":  # its subscriptions publish nothing any more, reads are answered
                for s in list(server.iserver.subscription_service.subscriptions.values()):
                    s._task.cancel()
            elif word == "block":  # a stack that answers nothing
                time.sleep(int(arg) / 1000)
            print("ok " + cmd, flush=True)
        writer.cancel()


asyncio.run(main())
