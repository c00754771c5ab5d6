#!/usr/bin/python3
"""Asks a person registry for one person with zeep, a SOAP stack that knows nothing of the bus.

    zeep_person.py WSDL VERSION IDNP [--system S] [--user IDNP] [--entity IDNO] [--basis T] [--reason T] [--message-id ID]

VERSION is 1.1 or 1.2. Prints one line of JSON: {"person": {...}} or {"fault": {"code", "message", "detail"}}; exit 0 for
both, 1 when there was no SOAP answer at all.
"""
import argparse
import json
import sys

import requests
import zeep
from lxml import etree
from zeep.exceptions import Fault
from zeep.helpers import serialize_object
from zeep.transports import Transport
from zeep.wsdl.bindings.soap import Soap11Binding, Soap12Binding

MCONNECT = "https://mconnect.gov.md"
ADDRESSING = "http://www.w3.org/2005/08/addressing"


def main():
    options = arguments()
    session = requests.Session()
    session.headers["X-System"] = options.system
    session.trust_env = False
    transport = Transport(session=session, timeout=15, operation_timeout=15)
    client = zeep.Client(options.wsdl, transport=transport)
    kind = {"1.1": Soap11Binding, "1.2": Soap12Binding}[options.version]
    service, port = next(
        (service, port)
        for service in client.wsdl.services.values()
        for port in service.ports.values()
        if type(port.binding) is kind
    )
    operation = next(iter(port.binding._operations))
    parameter = next(
        name for name, _ in port.binding.get(operation).input.body.type.elements if name.lower() == "idnp"
    )
    call = getattr(client.bind(service.name, port.name), operation)
    try:
        person = call(_soapheaders=headers(options), **{parameter: options.idnp})
    except Fault as fault:
        code = fault.subcodes[-1] if fault.subcodes else fault.code
        detail = None if fault.detail is None else etree.tostring(fault.detail, encoding="unicode")
        print(json.dumps({"fault": {"code": str(code), "message": fault.message, "detail": detail}}, ensure_ascii=False))
        return 0
    print(json.dumps({"person": serialize_object(person, dict)}, default=str, ensure_ascii=False))
    return 0


def headers(options):
    """The call context as SOAP header elements; what is given empty is left out."""
    given = [
        (MCONNECT, "CallingUser", options.user),
        (MCONNECT, "CallingEntity", options.entity),
        (MCONNECT, "CallBasis", options.basis),
        (MCONNECT, "CallReason", options.reason),
        (ADDRESSING, "MessageID", options.message_id),
    ]
    elements = []
    for namespace, name, text in given:
        if text:
            element = etree.Element("{%s}%s" % (namespace, name))
            element.text = text
            elements.append(element)
    return elements


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wsdl")
    parser.add_argument("version", choices=["1.1", "1.2"])
    parser.add_argument("idnp")
    parser.add_argument("--system", default="cnas/pensions")
    parser.add_argument("--user", default="2004100010095")
    parser.add_argument("--entity", default="1004600030235")
    parser.add_argument("--basis", default="art. 33")
    parser.add_argument("--reason", default="pension payment")
    parser.add_argument("--message-id", default="")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (requests.RequestException, zeep.exceptions.Error) as error:
        print(json.dumps({"error": "%s: %s" % (type(error).__name__, error)}))
        sys.exit(1)
