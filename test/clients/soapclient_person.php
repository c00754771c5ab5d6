<?php
/**
 * Asks a person registry for one person with PHP's SoapClient, a SOAP stack that knows nothing of the bus.
 *
 *     php soapclient_person.php WSDL VERSION IDNP [--system S] [--user IDNP] [--entity IDNO] [--basis T] [--reason T] [--message-id ID]
 *
 * VERSION is 1.1 or 1.2. Prints one line of JSON: {"person": {...}} or {"fault": {"code", "message"}}; exit 0 for both, 1 when there
 * was no SOAP answer at all.
 */
const MCONNECT = 'https://mconnect.gov.md';
/** Fault codes that SoapClient makes itself when there was no SOAP answer. */
const NO_ANSWER = ['HTTP', 'WSDL'];

$options = ['system' => 'cnas/pensions', 'user' => '2004100010095', 'entity' => '1004600030235', 'basis' => 'art. 33', 'reason' => 'pension payment', 'message-id' => ''];
$positional = [];
for ($at = 1; $at < $argc; $at++) {
    $name = substr($argv[$at], 2);
    if (strncmp($argv[$at], '--', 2) === 0 && array_key_exists($name, $options)) {
        $options[$name] = $argv[++$at] ?? '';
    } else {
        $positional[] = $argv[$at];
    }
}
[$wsdl, $version, $idnp] = array_pad($positional, 3, '');
if ($wsdl === '' || !in_array($version, ['1.1', '1.2'], true) || $idnp === '') {
    fwrite(STDERR, "usage: soapclient_person.php WSDL 1.1|1.2 IDNP [--system S] [--user IDNP] [--entity IDNO] [--basis T] [--reason T] [--message-id ID]\n");
    exit(2);
}
$system = $options['system'];
$context = ['CallingUser' => $options['user'], 'CallingEntity' => $options['entity'], 'CallBasis' => $options['basis'], 'CallReason' => $options['reason']];

/** Address of the port that speaks this SOAP version: SoapClient itself always takes the first port. */
function portAddress(string $text, string $version): string
{
    $namespace = 'http://schemas.xmlsoap.org/wsdl/' . ($version === '1.1' ? 'soap/' : 'soap12/');
    preg_match_all('/xmlns:([\w.-]+)\s*=\s*["\']' . preg_quote($namespace, '/') . '["\']/', $text, $prefixes);
    foreach ($prefixes[1] as $prefix) {
        if (preg_match("/<$prefix:address\\s[^>]*location\\s*=\\s*[\"']([^\"']+)/", $text, $found)) {
            return html_entity_decode($found[1], ENT_QUOTES | ENT_XML1);
        }
    }
    throw new RuntimeException("the WSDL has no port for SOAP $version");
}

function answer(array $value): void
{
    echo json_encode($value, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES), "\n";
}

$sent = "X-System: $system\r\n" . ($options['message-id'] === '' ? '' : "X-Message-Id: {$options['message-id']}\r\n");
$http = stream_context_create(['http' => ['header' => $sent, 'timeout' => 15, 'ignore_errors' => true]]);
try {
    $text = @file_get_contents($wsdl, false, $http);
    if ($text === false) {
        throw new RuntimeException("no WSDL at $wsdl");
    }
    $client = new SoapClient($wsdl, [
        'soap_version' => $version === '1.1' ? SOAP_1_1 : SOAP_1_2,
        'location' => portAddress($text, $version),
        'stream_context' => $http,
        'cache_wsdl' => WSDL_CACHE_NONE,
        'exceptions' => true,
        'features' => SOAP_SINGLE_ELEMENT_ARRAYS,
    ]);
    $headers = [];
    foreach ($context as $name => $value) {
        if ($value !== '') {
            $headers[] = new SoapHeader(MCONNECT, $name, $value);
        }
    }
    if (!preg_match('/^\S+ (\w+)\(/', $client->__getFunctions()[0], $operation)) {
        throw new RuntimeException('the WSDL has no operation');
    }
    // The name of the one parameter, in whatever case the contract writes it.
    preg_match('/\bidnp\b/i', implode("\n", $client->__getTypes()), $parameter);
    answer(['person' => $client->__soapCall($operation[1], [[$parameter[0] ?? 'idnp' => $idnp]], [], $headers)]);
} catch (SoapFault $fault) {
    if (in_array($fault->faultcode, NO_ANSWER, true)) {
        answer(['error' => "$fault->faultcode: $fault->faultstring"]);
        exit(1);
    }
    $detail = $fault->detail ?? null;
    answer(['fault' => ['code' => $fault->faultcode, 'message' => $fault->faultstring, 'detail' => $detail]]);
} catch (RuntimeException $error) {
    answer(['error' => $error->getMessage()]);
    exit(1);
}
