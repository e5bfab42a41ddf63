"""A second foreign OPC UA server (asyncua) for the tests of package collector.

It writes every value into a log before it offers it. Settings are the JSON of
the first argument; commands come in as lines on stdin.
"""
import asyncio, ipaddress, json, logging, os, sys, time
from datetime import datetime, timedelta, timezone
from pathlib import Path

from asyncua import Server, ua
from asyncua.crypto.cert_gen import dump_private_key_as_pem, generate_private_key, generate_self_signed_app_certificate
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.uaprocessor import UaProcessor
from asyncua.ua.ua_binary import struct_from_binary
from asyncua.common.structures104 import new_struct, new_struct_field
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

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


class Motor:
    """A variable whose value is a structure; its fields are tags 0 to 4 in the log."""

    def __init__(self, server, ns, folder, log):
        self.server, self.ns, self.folder, self.log = server, ns, folder, log

    async def make(self):
        bearing, _ = await new_struct(self.server, self.ns, "Bearing", [
            new_struct_field("Label", ua.VariantType.String), new_struct_field("Temperature", ua.VariantType.Float)])
        options, _ = await new_struct(self.server, self.ns, "Options", [
            new_struct_field("A", ua.VariantType.Int32, optional=True), new_struct_field("B", ua.VariantType.Double, optional=True)])
        motor, _ = await new_struct(self.server, self.ns, "Motor", [
            new_struct_field("Bearing", bearing), new_struct_field("Stands", bearing, array=True),
            new_struct_field("Phase", ua.VariantType.Int16, array=True), new_struct_field("Options", options),
            new_struct_field("Any", ua.VariantType.Variant), new_struct_field("Since", ua.VariantType.DateTime),
            new_struct_field("Speed", ua.VariantType.Double), new_struct_field("Torque", ua.VariantType.Double)])
        self.types = await self.server.load_data_type_definitions()
        self.node = await self.folder.add_variable(ua.NodeId("Motor", self.ns), "Motor", self.value(0), datatype=motor.nodeid)
        await self.write(0)
        return self

    def value(self, n):
        bearing, options, motor = ua.Bearing(), ua.Options(), ua.Motor()
        bearing.Label, bearing.Temperature = "drive end", 40 + n / 8
        options.B = n / 2
        stands = [ua.Bearing(), ua.Bearing()]
        stands[0].Label, stands[1].Temperature = "a", n + 0.5
        motor.Bearing, motor.Stands, motor.Phase, motor.Options = bearing, stands, [n % 100, -(n % 100)], options
        motor.Any, motor.Since = ua.Variant(n / 16, ua.VariantType.Double), datetime.now(timezone.utc)
        motor.Speed, motor.Torque = float(n * 10), float(-n)
        return ua.Variant(motor, ua.VariantType.ExtensionObject)

    async def write(self, n):
        v, now = self.value(n), time.time_ns() // 1_000_000
        m = v.Value
        for i, x in enumerate([m.Speed, m.Torque, m.Bearing.Temperature, m.Stands[1].Temperature, m.Phase[1]]):
            self.log.write(json.dumps([i, now, x, 0]) + "\n")
        await self.server.write_attribute_value(self.node.nodeid, ua.DataValue(v, SourceTimestamp=datetime.fromtimestamp(now / 1000, timezone.utc)))


class Users:
    """Who may log in: only those of the settings."""

    def get_user(self, iserver, username=None, password=None, certificate=None):
        known = username is not None and conf["users"].get(username) == password
        return User(role=UserRole.User, name=username) if known else None


async def secure(server):
    """Only signed and encrypted, with the certificate that is kept or, where there is none, a new one."""
    uri = "urn:millwright:test:server"
    cert, key = Path(conf["dir"], "server.der"), Path(conf["dir"], "server.pem")
    if not cert.exists():
        made = generate_private_key()
        key.write_bytes(dump_private_key_as_pem(made))
        names = [x509.UniformResourceIdentifier(uri), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        use = [x509.ExtendedKeyUsageOID.SERVER_AUTH, x509.ExtendedKeyUsageOID.CLIENT_AUTH]
        cert.write_bytes(generate_self_signed_app_certificate(made, "test", {}, names, use).public_bytes(Encoding.DER))
    await server.set_application_uri(uri)
    await server.load_certificate(cert)
    await server.load_private_key(key)
    server.set_security_policy([ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt])
    server.set_identity_tokens([ua.UserNameIdentityToken])


async def main():
    server = Server(user_manager=Users() if "users" in conf else None)
    await server.init()
    server.set_endpoint("opc.tcp://127.0.0.1:%d" % conf["port"])
    if "users" in conf:
        await secure(server)
    else:
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    for i in range(conf.get("shift", 0)):
        await server.register_namespace("urn:test:shift%d" % i)
    ns = await server.register_namespace("urn:test:mill")
    mill = await server.nodes.objects.add_object(ns, "Mill")
    log = open(conf["log"], "a", buffering=1)
    log.write("\n")  # a killed server may have left a torn line
    nodes = {}
    tick = conf.get("tick", 0)
    step = 0  # ms that the server's clock is off, the one that it shows and that of the values

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
    motor = None
    if conf.get("structures"):
        motor = await Motor(server, ns, mill, log).make()
    running = asyncio.Event()
    running.set()

    async def clock():
        while True:
            await server.iserver.current_time_node.write_value(datetime.now(timezone.utc) + timedelta(milliseconds=step))
            await asyncio.sleep(0.2)

    async def write():
        nonlocal tick
        while True:
            await asyncio.sleep(0.1)
            await running.wait()
            tick += 1
            if tick % conf.get("jump", 10**9) == 0:
                tick += 10
            for i, n in list(nodes.items()):
                if i in nodes:  # still
                    await server.write_attribute_value(n.nodeid, value(i))
            if motor:
                await motor.write(tick)

    server.disable_clock()  # its own, for ours
    async with server:
        writer, showing = asyncio.create_task(write()), asyncio.create_task(clock())
        await asyncio.sleep(0)
        print("ready", flush=True)
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
            elif word == "del":  # the stack tells no monitored item that its node is gone, so the application tells by an event
                n = nodes.pop(int(arg))
                await server.delete_nodes([n])
                gone = await server.get_event_generator(ua.ObjectIds.GeneralModelChangeEventType, server.nodes.server)
                gone.event.Changes = [ua.ModelChangeStructureDataType(Affected=n.nodeid, Verb=ua.ModelChangeStructureVerbMask.NodeDeleted)]
                gone.event.data_types["Changes"] = ua.VariantType.ExtensionObject  # which it takes from the type as a node id
                await gone.trigger()
            elif word == "starve":  # its subscriptions publish nothing any more, reads are answered
                for s in list(server.iserver.subscription_service.subscriptions.values()):
                    s._task.cancel()
            elif word == "block":  # a stack that answers nothing
                time.sleep(int(arg) / 1000)
            print("ok " + cmd, flush=True)
        writer.cancel()
        showing.cancel()


asyncio.run(main())
