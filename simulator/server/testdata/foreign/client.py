"""An asyncua client that tells what it sees of the server as one JSON object.

Usage: python client.py URL FOLDER USER PASSWORD VALUES
FOLDER holds cert.der and key.pem of the client application.
"""
import asyncio
import json
import logging
import sys

from asyncua import Client, ua
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256

logging.basicConfig(level=logging.ERROR)
url, folder, user, password, wanted = sys.argv[1:6]


async def make(pw):
    client = Client(url, timeout=20)
    client.application_uri = "urn:millwright:test:client"
    await client.set_security(
        SecurityPolicyBasic256Sha256,
        certificate=f"{folder}/cert.der",
        private_key=f"{folder}/key.pem",
        mode=ua.MessageSecurityMode.SignAndEncrypt,
    )
    client.set_user(user)
    client.set_password(pw)
    return client


class Handler:
    def __init__(self):
        self.values = []
        self.done = asyncio.Event()

    def datachange_notification(self, node, val, data):
        self.values.append(val)
        if len(self.values) >= int(wanted):
            self.done.set()

    def status_change_notification(self, status):
        print(status, file=sys.stderr)


async def walk(node, path, out):
    for child in await node.get_children():
        name = await child.read_browse_name()
        if child.nodeid.NamespaceIndex == 0:
            continue
        out.append(f"{path}/{name.Name}")
        await walk(child, f"{path}/{name.Name}", out)


async def main():
    seen = {}
    client = await make(password + "x")
    try:
        await client.connect()
        seen["wrongPassword"] = "accepted"
    except Exception as e:
        seen["wrongPassword"] = type(e).__name__
    async with await make(password) as client:
        seen["tree"] = []
        await walk(client.nodes.objects, "", seen["tree"])
        seen["namespaces"] = await client.get_namespace_array()
        vib = client.get_node("ns=1;s=MILL/VIB")
        dv = await vib.read_data_value()
        seen["value"] = dv.Value.Value
        seen["sourceTime"] = round(dv.SourceTimestamp.replace(tzinfo=__import__("datetime").timezone.utc).timestamp() * 1000)
        seen["type"] = (await vib.read_data_type()).to_string()
        seen["description"] = (await vib.read_description()).Text
        seen["unit"] = (await (await vib.get_child("0:EngineeringUnits")).read_value()).DisplayName.Text
        seen["high"] = (await (await vib.get_child("0:EURange")).read_value()).High
        seen["state"] = (await client.get_node("i=2256").read_value()).State
        seen["translated"] = (await client.nodes.objects.get_child(["1:MILL", "1:VIB"])).nodeid.to_string()
        try:
            await vib.write_value(1.0)
            seen["write"] = "accepted"
        except Exception as e:
            seen["write"] = type(e).__name__
        handler = Handler()
        # The library's own buffer drops values by default when the handler is slow.
        sub = await client.create_subscription(50, handler, queue_maxsize=100_000)
        ramp = client.get_node("ns=1;s=MILL/RAMP")
        await sub.subscribe_data_change(ramp, queuesize=5000, sampling_interval=0.0)
        seen["monitored"] = "Good"
        try:
            await sub.deadband_monitor(ramp, 10, deadbandtype=2)
            seen["percentOnPlain"] = "accepted"
        except Exception as e:
            seen["percentOnPlain"] = type(e).__name__
        print("subscribed", file=sys.stderr, flush=True)
        await asyncio.wait_for(handler.done.wait(), 60)
        v = handler.values
        seen["values"] = len(v)
        seen["jumps"] = sum(1 for a, b in zip(v, v[1:]) if b != a + 1)
        await sub.delete()
    print(json.dumps(seen))


asyncio.run(main())
