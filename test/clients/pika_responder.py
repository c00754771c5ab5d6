"""
A modern system on RabbitMQ that answers questions, with a stock client. Each question goes to standard output as a line of JSON; a line of
JSON on standard input says what to do with it: null to keep silent, or the answer. What the broker refuses is told as a line too.
"""
import base64
import json
import sys

import pika

url, queue = sys.argv[1:3]
connection = pika.BlockingConnection(pika.URLParameters(url))
channel = connection.channel()


def say(line):
    print(json.dumps(line), flush=True)


def answered(_channel, method, properties, body):
    say(
        {
            "key": method.routing_key,
            "contentType": properties.content_type,
            "messageId": properties.message_id,
            "expiration": properties.expiration,
            "replyTo": properties.reply_to,
            "headers": properties.headers,
            "base64": base64.b64encode(body).decode(),
        }
    )
    answer = json.loads(sys.stdin.readline())
    if answer is not None:
        channel.basic_publish(
            exchange=answer.get("exchange", "mbus.from"),
            routing_key=answer.get("key", properties.reply_to),
            body=base64.b64decode(answer["base64"]),
            properties=pika.BasicProperties(
                user_id=answer.get("userId"),
                content_type=answer.get("contentType"),
                correlation_id=properties.correlation_id,
                headers=answer.get("headers", {}),
            ),
        )
    channel.basic_ack(method.delivery_tag)


channel.basic_consume(queue, answered)
say({"ready": True})
try:
    channel.start_consuming()
except pika.exceptions.ChannelClosedByBroker as closed:
    say({"refused": closed.reply_code})
except (pika.exceptions.AMQPConnectionError, KeyboardInterrupt):
    pass
