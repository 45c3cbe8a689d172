// Owns knowing when a response is over: passes its body on, counts the bytes, says once when the last one is
// out or the reader has gone. A reader who goes cancels the source, so the answer stops being made.

/**
 * The same response; `onEnd` is called exactly once with the body bytes handed on. An abort of the request ends
 * it too, since a server need not read or cancel a body that nobody waits for; so does a HEAD, whose answer's
 * body nobody ever reads.
 */
export function trackBody(
  response: Response,
  { method, signal }: Pick<Request, 'method' | 'signal'>,
  onEnd: (bytes: number) => void,
): Response {
  let bytes = 0;
  let ended = false;
  const end = (): void => {
    signal.removeEventListener('abort', end);
    if (!ended) onEnd(bytes);
    ended = true;
  };
  if (response.body === null || signal.aborted) {
    end();
    return response;
  }
  if (method === 'HEAD') {
    void response.body.cancel().catch(() => {});
    end();
    return new Response(null, response);
  }
  signal.addEventListener('abort', end);
  const reader = response.body.getReader();
  const source: UnderlyingDefaultSource<Uint8Array> = {
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (done) {
          controller.close();
          end();
        } else {
          bytes += value.byteLength;
          controller.enqueue(value);
        }
      } catch (error) {
        controller.error(error);
        end();
      }
    },
    async cancel(reason) {
      try {
        await reader.cancel(reason);
      } finally {
        end();
      }
    },
  };
  // No reading ahead: a slow reader slows the model.
  return new Response(new ReadableStream(source, { highWaterMark: 0 }), response);
}
