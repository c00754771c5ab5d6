#!/usr/bin/python3
"""Asks a person registry over mutual TLS with a WS-Security signature, by zeep and xmlsec, which know nothing of the bus.

    zeep_signed.py WSDL IDNP --tls-cert F --tls-key F --ca F --cert F --key F --answer-cert F [--form token|x509] [--sha1]

Signs Body and Timestamp, and verifies the answer with the one certificate of --answer-cert. Prints one line of JSON:
{"person": {...}, "answer": XML} or {"fault": {"code", "message"}}; exit 0 for both, 1 when the answer's signature does not hold.
"""
import argparse
import datetime
import json
import sys

import requests
import xmlsec
import zeep
from lxml import etree
from zeep.exceptions import Fault, SignatureVerificationFailed
from zeep.helpers import serialize_object
from zeep.plugins import HistoryPlugin
from zeep.transports import Transport
from zeep.wsse import utils
from zeep.wsse.signature import BinarySignature, MemorySignature, Signature

MCONNECT = "https://mconnect.gov.md"


class Signed:
    """A Timestamp, then a signature over it and the Body; answers are verified with the key of another certificate."""

    def __init__(self, options):
        form = BinarySignature if options.form == "token" else Signature
        methods = (
            {"signature_method": xmlsec.Transform.RSA_SHA1, "digest_method": xmlsec.Transform.SHA1}
            if options.sha1
            else {"signature_method": xmlsec.Transform.RSA_SHA256, "digest_method": xmlsec.Transform.SHA256}
        )
        self.signature = form(options.key, options.cert, **methods)
        self.options = options

    def apply(self, envelope, headers):
        security = utils.get_security_header(envelope)
        now = datetime.datetime.now(datetime.timezone.utc)
        timestamp = utils.WSU("Timestamp")
        for name, time in (("Created", now), ("Expires", now + datetime.timedelta(minutes=5))):
            timestamp.append(utils.WSU(name, time.strftime("%Y-%m-%dT%H:%M:%SZ")))
        security.append(timestamp)
        return self.signature.apply(envelope, headers)

    def verify(self, envelope):
        with open(self.options.key, "rb") as key, open(self.options.answer_cert, "rb") as cert:
            return MemorySignature(key.read(), cert.read(), None).verify(envelope)


def main():
    options = arguments()
    session = requests.Session()
    session.trust_env = False
    session.cert = (options.tls_cert, options.tls_key)
    session.verify = options.ca
    history = HistoryPlugin()
    client = zeep.Client(
        options.wsdl,
        transport=Transport(session=session, timeout=15, operation_timeout=15),
        wsse=Signed(options),
        plugins=[history],
    )
    try:
        person = client.service.GetPerson(_soapheaders=headers(), IDNP=options.idnp)
    except Fault as fault:
        print(json.dumps({"fault": {"code": str(fault.code), "message": fault.message}}, ensure_ascii=False))
        return 0
    answer = etree.tostring(history.last_received["envelope"], encoding="unicode")
    print(json.dumps({"person": serialize_object(person, dict), "answer": answer}, default=str, ensure_ascii=False))
    return 0


def headers():
    elements = []
    for name, text in (
        ("CallingUser", "2004100010095"),
        ("CallingEntity", "1004600030235"),
        ("CallBasis", "Law 156/1998 art. 33"),
        ("CallReason", "pension payment"),
    ):
        element = etree.Element("{%s}%s" % (MCONNECT, name))
        element.text = text
        elements.append(element)
    return elements


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wsdl")
    parser.add_argument("idnp")
    for name in ("--tls-cert", "--tls-key", "--ca", "--cert", "--key", "--answer-cert"):
        parser.add_argument(name, required=True)
    parser.add_argument("--form", choices=["token", "x509"], default="token")
    parser.add_argument("--sha1", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (requests.RequestException, zeep.exceptions.Error, SignatureVerificationFailed) as error:
        print(json.dumps({"error": "%s: %s" % (type(error).__name__, error)}))
        sys.exit(1)
