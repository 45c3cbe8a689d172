import { deflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { docxToText, xmlToText } from './docx-text.ts';
import { zipOf } from './zip.fixture.ts';

const XML =
  '<w:document><w:body><w:p><w:r><w:t>Rent is</w:t></w:r><w:r><w:tab/><w:t>940 &amp; due</w:t></w:r></w:p>' +
  '<w:p><w:del><w:delText>old words</w:delText></w:del><w:t>No pets &#233;.</w:t></w:p></w:body></w:document>';

describe('Word documents', () => {
  it('keeps paragraphs, breaks and entities and drops what was deleted', () => {
    expect(xmlToText(XML).trim()).toBe('Rent is\t940 & due\n\nNo pets é.');
  });

  it.each(['stored', 'deflated'] as const)('reads the main part of a zip, %s', async (method) => {
    const file = zipOf(
      [
        ['docProps/app.xml', '<a/>'],
        ['word/document.xml', XML],
      ],
      method === 'deflated' ? deflateRawSync : undefined,
    );
    expect(await docxToText(file)).toBe('Rent is\t940 & due\n\nNo pets é.');
  });

  it('refuses what is no Word document', async () => {
    await expect(docxToText(new ArrayBuffer(40))).rejects.toThrow(/no directory/);
    await expect(docxToText(zipOf([['other.xml', 'x']]))).rejects.toThrow(/word\/document.xml/);
  });
});
