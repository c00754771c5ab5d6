import { describe, expect, it } from "vitest";
import { evaluateXmlPath, parseXml } from "./xml-path.ts";

const XML =
  '<?xml version="1.0"?><e:Reply xmlns:e="urn:e"><e:Name> Ana &amp; Ion </e:Name><e:Item><e:No>1</e:No></e:Item><e:Item><e:No>2</e:No></e:Item><e:Empty/></e:Reply>';
const SOAP = `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>${XML.slice(21)}</s:Body></s:Envelope>`;

describe("paths of tests over XML", () => {
  it.each([
    ["/e:Reply/e:Name", "Ana & Ion"],
    ["/Reply/Name", "Ana & Ion"],
    ["/x:Reply/Item[2]/No", "2"],
    ["/Reply/Item/No", "1"],
    ["/Reply/Empty", ""],
    ["/Reply/Nothing", undefined],
    ["/Other/Name", undefined],
    ["count(/Reply/Item)", 2],
    ["count(/Reply/Item/No)", 2],
    ["count(/Reply/Nothing)", 0],
    ["/Reply/Item[3]/No", undefined],
  ])("%s", (path, expected) => {
    expect(evaluateXmlPath(path, parseXml(XML))).toBe(expected);
    expect(evaluateXmlPath(path, parseXml(SOAP))).toBe(expected);
  });

  it("reaches the envelope itself as well", () => {
    expect(evaluateXmlPath("count(/Envelope/Body/Reply/Item)", parseXml(SOAP))).toBe(2);
  });

  it.each(["Reply/Name", "//Name", "/Reply/@id", "/Reply/Item[0]", "/Reply/text()", "count(Reply)", "/"])("refuses %s", (path) => {
    expect(() => evaluateXmlPath(path, parseXml(XML))).toThrow(/is no path of a test/);
  });

  it("reads a document as strictly as the bus does", () => {
    expect(() => parseXml("<!DOCTYPE a><a/>")).toThrow();
    expect(() => parseXml("<a></b>")).toThrow();
  });
});
