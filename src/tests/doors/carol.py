"""Carol, with paho: says back what she hears.

Arguments: transport, port, version (3 or 5), client id, password; for TLS the root certificate, and for a client
certificate the files of certificate and key. An empty password leaves the name to the certificate.
"""

import sys

import paho.mqtt.client as paho

transport, port, version, client_id, password, *tls = sys.argv[1:]
protocol = paho.MQTTv5 if version == "5" else paho.MQTTv311
# From its second major version on, paho wants to know in which style it calls back.
style = [paho.CallbackAPIVersion.VERSION1] if hasattr(paho, "CallbackAPIVersion") else []
client = paho.Client(*style, client_id=client_id, protocol=protocol, transport=transport)
if password:
    client.username_pw_set("carol", password)
if tls:
    client.tls_set(*tls)


def on_connect(client, userdata, flags, reason, properties=None):
    client.subscribe("from/#", qos=1)


def on_message(client, userdata, message):
    client.publish("to/alice", b"heard " + message.payload, qos=1)


client.on_connect = on_connect
client.on_message = on_message
client.connect("localhost" if tls else "127.0.0.1", int(port))
client.loop_forever()
