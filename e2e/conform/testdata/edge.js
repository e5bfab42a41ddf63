// An edge of another make, npm sparkplug-client, which speaks Sparkplug 2.2. It is
// born with a device, sends one value of each type as node and as device, is born
// anew when it is asked to, and dies when a line comes in. Arguments: the folder of
// the modules, the broker's URL, group, node, time of the values in ms.
'use strict'
const { createRequire } = require('module')
const modules = createRequire(process.argv[2] + '/x.js')
const [url, groupId, edgeNode, at] = process.argv.slice(3)
const time = Number(at)

const values = [
  ['Int8', -7], ['Int16', -700], ['Int32', -70000], ['Int64', -7000000000], ['UInt8', 200], ['UInt16', 60000],
  ['UInt32', 4000000000], ['UInt64', 9007199254740991], ['Float', 21.25], ['Double', 0.1], ['Boolean', true], ['String', 'heiß'],
  ['DateTime', 1700000000000]
]
const born = { timestamp: time, metrics: values.map(([type]) => ({ name: type, type, value: null, timestamp: time, properties: { engUnit: { type: 'String', value: 'mm' } } })) }
const news = dt => ({ timestamp: time + dt, metrics: values.map(([type, value]) => ({ name: type, type, value, timestamp: time + dt })) })
const bad = { timestamp: time + 2, metrics: [{ name: 'Double', type: 'Double', value: 5, timestamp: time + 2, properties: { Quality: { type: 'Int32', value: 0 } } }, { name: 'Float', type: 'Float', value: null, timestamp: time + 2 }] }
const copy = x => JSON.parse(JSON.stringify(x))

const client = modules('sparkplug-client').newClient({
  serverUrl: url, username: null, password: null, groupId, edgeNode, clientId: 'foreign-' + edgeNode, version: 'spBv1.0', publishDeath: true
})
const tell = what => process.stdout.write(what + '\n')
client.on('birth', () => {
  const node = copy(born)
  node.metrics.push({ name: 'Node Control/Rebirth', type: 'Boolean', value: false, timestamp: time })
  client.publishNodeBirth(node)
  client.publishDeviceBirth('press', copy(born))
  client.publishNodeData(news(1))
  client.publishDeviceData('press', news(1))
  client.publishDeviceData('press', copy(bad))
  tell('born')
})
client.on('ncmd', p => {
  if (p.metrics.some(m => m.name === 'Node Control/Rebirth' && m.value === true)) {
    tell('rebirth')
    client.emit('birth')
  }
})
process.stdin.once('data', line => {
  if (String(line).startsWith('device')) {
    client.publishDeviceDeath('press', { timestamp: time + 3 })
    tell('device gone')
    process.stdin.once('data', () => client.stop())
    return
  }
  client.stop()
})
