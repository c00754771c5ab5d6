"""A modern system on RabbitMQ with a stock client: does what the JSON list on its standard input says, one answer a line."""
import json
import sys

import pika

connection = pika.BlockingConnection(pika.URLParameters(sys.argv[1]))


def publish(channel, act):
    channel.confirm_delivery()
    properties = pika.BasicProperties(
        content_type=act.get("contentType", "application/json"),
        headers=act.get("headers", {}),
        message_id=act.get("messageId"),
        user_id=act.get("userId"),
        delivery_mode=2,
    )
    channel.basic_publish(act["exchange"], act["key"], act["body"].encode(), properties, mandatory=True)
    return {"ok": True}


def receive(channel, act):
    for method, properties, body in channel.consume(act["queue"], inactivity_timeout=act.get("seconds", 30)):
        if method is None:
            return {"ok": False}
        channel.basic_ack(method.delivery_tag)
        channel.cancel()
        return {
            "ok": True,
            "key": method.routing_key,
            "contentType": properties.content_type,
            "messageId": properties.message_id,
            "correlationId": properties.correlation_id,
            "headers": properties.headers,
            "body": body.decode(),
        }


for act in json.load(sys.stdin):
    channel = connection.channel()
    try:
        answer = {"publish": publish, "receive": receive}[act["do"]](channel, act)
    except pika.exceptions.ChannelClosedByBroker as closed:
        answer = {"ok": False, "code": closed.reply_code}
    except pika.exceptions.UnroutableError:
        answer = {"ok": False, "code": 312}
    print(json.dumps(answer), flush=True)
    if channel.is_open:
        channel.close()
connection.close()
