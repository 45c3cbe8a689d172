// The 1 KB prompts that bench -- privacy measures: no sentence comes twice, since what repeats is read once.

const PROSE =
  'We would like to understand how the system handles failures, retries, and timeouts in production, and what ' +
  'the committee decided about the proposed amendment to section 12 of the regulation. Por favor, explique el ' +
  'procedimiento de devolución paso a paso. Explique também como funciona o prazo de entrega. The draft says that ' +
  'a request may be refused when the form is incomplete, yet nothing tells the reader which fields are needed or ' +
  'how long an answer takes. In the second part the authors compare three ways of keeping records, one on paper ' +
  'and two in a database, and find that people trust whichever they have used before. ¿Qué pasa si el producto ' +
  'llega dañado y ya no tengo la caja original? It would help to see a worked example with figures, even if they ' +
  'are made up, because the formula on page seven leaves out the discount. Se o pagamento falhar duas vezes, o ' +
  'pedido deve ser cancelado ou fica à espera? Finally, please say which of these rules apply to small companies, ' +
  'which only to large ones, and whether the answer would be different next year. Short sentences are better than ' +
  'long ones, and a table is better than either.';

const PERSONAL =
  'Hello, my name is Ana Souza and I live at 12 Oak Street, Springfield. Please write to ana.souza@example.com or ' +
  'call +1 415 555 2671 about order 1234567. El paciente José García acude a consulta por dolor abdominal desde el ' +
  'martes; vive en la calle Mayor 14, Toledo, con su hermana Lucía. O contrato foi assinado por Marcos Vinícius ' +
  'Teixeira em 14/03/2023 na Avenida Paulista, 1578. Our landlord, Mr Delgado of Northern Housing, promised in ' +
  'writing that the repairs would begin before the end of the month, and my colleague Priya Raman was there when ' +
  'he said so. Since then neither he nor his office has answered. My daughter was born on 2 May 2016 and sleeps ' +
  'in the room with the mould. We have kept every receipt, the letters of the council and the photographs that ' +
  'Thomas took in January. Could you tell me what to ask for first, how such a letter should begin, and whether ' +
  'it is better to send it by post? The reference on their last message was HX-20931, and the account they want ' +
  'the rent paid into is GB29 NWBK 6016 1331 9268 19. Thank you for your patience with all of this.';

const LINES =
  'See https://example.com/docs/a?b=c%20d&e=f for details:\n- first item\n- second item, at noon\n\nThe minutes are ' +
  'below, as Ana Souza sent them from 12 Oak Street, Springfield.\n\n1. Failures, retries and timeouts in ' +
  'production\n2. The amendment to section 12\n3. Any other business\n\n> On Tuesday Priya Raman wrote:\n> the form ' +
  'is at https://example.com/forms/new?name=Ana%20Souza&step=2\n> and it closes at noon\n\nHello, please call +1 415 ' +
  '555 2671 about order 1234567 or write to ana.souza@example.com.\n\nPor favor, explique el procedimiento de ' +
  'devolución paso a paso:\n\t- qué formulario\n\t- qué plazo\n\t- quién firma\n\nEl paciente José García acude a ' +
  'consulta por dolor abdominal.\n\n| item | price | note |\n|---|---|---|\n| lamp | 12.50 | blue |\n| chair | 80.00 | ' +
  'two left |\n\nExplique também como funciona o prazo de entrega, e o que muda para pedidos de fora.\nRegards,\n' +
  'Thomas\n--\nNorthern Housing, third floor, open from nine to five except on public holidays and in August, when ' +
  'the office answers by e-mail alone.\nThis message is meant for whom it names; if that is not you, please say so.';

export const prompts: Readonly<Record<string, string>> = Object.freeze({
  'plain prose': PROSE,
  'prose with personal data': PERSONAL,
  'lines, links, escapes': LINES,
});
