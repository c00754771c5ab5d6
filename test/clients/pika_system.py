"""A modern system on RabbitMQ with a stock client: does what the JSON list on its standard input says, one answer a line."""
import base64
import json
import sys
import time

import pika

connection = pika.BlockingConnection(pika.URLParameters(sys.argv[1]))


def properties_of(act, reply_to=None):
    return pika.BasicProperties(
        content_type=act.get("contentType", "application/json"),
        headers=act.get("headers", {}),
        message_id=act.get("messageId"),
        correlation_id=act.get("correlationId"),
        user_id=act.get("userId"),
        expiration=act.get("expiration"),
        reply_to=reply_to,
        delivery_mode=2,
    )


def body_of(act):
    return base64.b64decode(act["base64"]) if "base64" in act else act["body"].encode()


def said(key, properties, body):
    return {
        "ok": True,
        "key": key,
        "contentType": properties.content_type,
        "messageId": properties.message_id,
        "correlationId": properties.correlation_id,
        "headers": properties.headers,
        "body": body.decode("utf-8", "replace"),
        "base64": base64.b64encode(body).decode(),
    }


def publish(channel, act):
    channel.confirm_delivery()
    channel.basic_publish(act["exchange"], act["key"], body_of(act), properties_of(act, act.get("replyTo")), mandatory=True)
    return {"ok": True}


def ask(channel, act):
    """A question, answered over RabbitMQ's direct reply-to."""
    answers = []

    def answered(_channel, method, properties, body):
        answers.append(said(method.routing_key, properties, body))

    channel.basic_consume("amq.rabbitmq.reply-to", answered, auto_ack=True)
    channel.basic_publish(act["exchange"], act["key"], body_of(act), properties_of(act, "amq.rabbitmq.reply-to"))
    until = time.monotonic() + act.get("seconds", 30)
    while not answers and time.monotonic() < until:
        connection.process_data_events(0.1)
    return answers[0] if answers else {"ok": False}


def receive(channel, act):
    for method, properties, body in channel.consume(act["queue"], inactivity_timeout=act.get("seconds", 30)):
        if method is None:
            return {"ok": False}
        channel.basic_ack(method.delivery_tag)
        channel.cancel()
        return said(method.routing_key, properties, body)


for act in json.load(sys.stdin):
    channel = connection.channel()
    try:
        answer = {"publish": publish, "receive": receive, "ask": ask}[act["do"]](channel, act)
    except pika.exceptions.ChannelClosedByBroker as closed:
        answer = {"ok": False, "code": closed.reply_code}
    except pika.exceptions.UnroutableError:
        answer = {"ok": False, "code": 312}
    print(json.dumps(answer), flush=True)
    if channel.is_open:
        channel.close()
connection.close()
