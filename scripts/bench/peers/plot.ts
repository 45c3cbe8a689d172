// Draws line charts with both axes in doublings, as SVG that reads on light and dark pages.

export interface Series {
  readonly name: string;
  /** At least two, x ascending, all above zero. */
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

export interface Panel {
  readonly title: string;
  /** What x counts. */
  readonly unit: string;
  readonly series: readonly Series[];
}

const PANEL = { width: 440, height: 330, left: 58, right: 86, top: 58, bottom: 46 };
// Okabe and Ito's blue and vermilion: told apart by every kind of colour vision, and on either ground.
const COLOURS = ['#0072b2', '#d55e00'];

export function drawPlot(title: string, panels: readonly Panel[]): string {
  const width = PANEL.width * panels.length;
  const body = panels.map(
    (panel, at) => `<g transform="translate(${at * PANEL.width} 0)">${drawPanel(panel)}</g>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${PANEL.height}" role="img" aria-label="${title}" font-family="system-ui, sans-serif" font-size="12">`,
    `<rect width="${width}" height="${PANEL.height}" fill="#fff"/>`,
    `<text x="16" y="22" font-size="14" font-weight="600" fill="#222">${title}</text>`,
    ...body,
    '</svg>',
    '',
  ].join('\n');
}

function drawPanel({ title, unit, series }: Panel): string {
  const all = series.flatMap(({ points }) => points);
  const x = scale(
    all.map((point) => point.x),
    PANEL.left,
    PANEL.width - PANEL.right,
  );
  const y = scale(
    all.map((point) => point.y),
    PANEL.height - PANEL.bottom,
    PANEL.top,
  );
  const floor = PANEL.height - PANEL.bottom;
  const ticksX = x.ticks.map(
    (value) => `<text x="${x.at(value)}" y="${floor + 18}" text-anchor="middle" fill="#555">${value}</text>`,
  );
  const ticksY = y.ticks.map(
    (value) =>
      `<line x1="${PANEL.left}" x2="${PANEL.width - PANEL.right}" y1="${y.at(value)}" y2="${y.at(value)}" stroke="#ddd"/>` +
      `<text x="${PANEL.left - 8}" y="${y.at(value) + 4}" text-anchor="end" fill="#555">${value}</text>`,
  );
  const names = spread(series.map(({ points }) => y.at(points.at(-1)!.y)));
  const lines = series.map(({ name, points }, at) => {
    const colour = COLOURS[at % COLOURS.length];
    const path = points.map((point) => `${x.at(point.x)},${y.at(point.y)}`).join(' ');
    const dots = points.map(
      (point) => `<circle cx="${x.at(point.x)}" cy="${y.at(point.y)}" r="3" fill="${colour}"/>`,
    );
    const label = `<text x="${PANEL.width - PANEL.right + 10}" y="${names[at]! + 4}" fill="${colour}" font-weight="600">${name}</text>`;
    return `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>${dots.join('')}${label}`;
  });
  return [
    `<text x="${PANEL.left}" y="${PANEL.top - 14}" fill="#222">${title}</text>`,
    ...ticksY,
    ...ticksX,
    `<text x="${(PANEL.left + PANEL.width - PANEL.right) / 2}" y="${PANEL.height - 10}" text-anchor="middle" fill="#555">${unit}</text>`,
    `<text x="${PANEL.left - 8}" y="${PANEL.top - 14}" text-anchor="end" fill="#555">ms</text>`,
    ...lines,
  ].join('\n');
}

interface Scale {
  readonly ticks: readonly number[];
  at(value: number): number;
}

/** Doublings from the power of two below the least to the one above the greatest. */
function scale(values: readonly number[], from: number, to: number): Scale {
  const low = Math.floor(Math.log2(Math.min(...values)));
  const high = Math.ceil(Math.log2(Math.max(...values)));
  const step = high - low > 8 ? 2 : 1;
  const ticks: number[] = [];
  for (let power = low; power <= high; power += step) ticks.push(2 ** power);
  return {
    ticks,
    at: (value) => Number((from + ((Math.log2(value) - low) / (high - low)) * (to - from)).toFixed(1)),
  };
}

/** Labels at least a line apart. */
function spread(places: readonly number[]): readonly number[] {
  const order = places.map((place, at) => ({ place, at })).sort((a, b) => a.place - b.place);
  for (let i = 1; i < order.length; i += 1) {
    order[i]!.place = Math.max(order[i]!.place, order[i - 1]!.place + 15);
  }
  return order.sort((a, b) => a.at - b.at).map(({ place }) => place);
}
