<?php
/**
 * Asks a person registry for one person with PHP's SoapClient, a SOAP stack that knows nothing of the bus.
 *
 *     php soapclient_person.php WSDL VERSION IDNP [SYSTEM [USER ENTITY BASIS REASON]]
 *
 * VERSION is 1.1 or 1.2. Prints one line of JSON: {"person": {...}} or {"fault": {"code", "message"}}; exit 0 for both, 1 when there
 * was no SOAP answer at all.
 */
const MCONNECT = 'https://mconnect.gov.md';
/** Fault codes that SoapClient makes itself when there was no SOAP answer. */
const NO_ANSWER = ['HTTP', 'WSDL'];

[$wsdl, $version, $idnp] = [$argv[1] ?? '', $argv[2] ?? '', $argv[3] ?? ''];
if ($wsdl === '' || !in_array($version, ['1.1', '1.2'], true) || $idnp === '') {
    fwrite(STDERR, "usage: soapclient_person.php WSDL 1.1|1.2 IDNP [SYSTEM [USER ENTITY BASIS REASON]]\n");
    exit(2);
}
$system = $argv[4] ?? 'cnas/pensions';
$context = [
    'CallingUser' => $argv[5] ?? '2004100010095',
    'CallingEntity' => $argv[6] ?? '1004600030235',
    'CallBasis' => $argv[7] ?? 'art. 33',
    'CallReason' => $argv[8] ?? 'pension payment',
];

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

$http = stream_context_create(['http' => ['header' => "X-System: $system\r\n", 'timeout' => 15, 'ignore_errors' => true]]);
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
