/** The one message between the page and its service worker: the newer worker may replace the older. */
export const TAKE_OVER = 'take-over';
