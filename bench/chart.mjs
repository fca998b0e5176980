// Charts with two logarithmic axes, as SVG text.

const COLOURS = ["#0b62a8", "#c2410c", "#15803d", "#7c3aed"];
const WIDTH = 420;
const HEIGHT = 300;
const MARGIN = { left: 70, right: 30, top: 34, bottom: 46 };

/**
 * Panels side by side, two in a row, under one legend; `title` is for who cannot see them. A panel is `{ title, x, y, series, linear }`: `x` and `y` are axes
 * `{ label, show(value) }`, a series is `{ name, points: [x, y][] }` in the same order in every panel, and `linear` a point
 * through which the dashed line of slope one goes.
 */
export function svg(title, panels) {
  const rows = Math.ceil(panels.length / 2);
  const width = 2 * WIDTH;
  const height = rows * HEIGHT + 30;
  const names = panels[0].series.map(({ name }) => name);
  const drawn = panels.map((panel, i) => {
    const place = `translate(${(i % 2) * WIDTH} ${Math.floor(i / 2) * HEIGHT + 30})`;
    return `<g transform="${place}">\n${drawPanel(panel)}</g>\n`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" role="img">\n`,
    `<title>${escaped(title)}</title>\n`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>\n`,
    legend([...names, "linear"]),
    ...drawn,
    "</svg>\n",
  ].join("");
}

function legend(names) {
  const entries = names.map((name, i) => {
    const at = MARGIN.left + i * 110;
    const style = i === names.length - 1 ? 'stroke="#6b7280" stroke-dasharray="5 4"' : `stroke="${COLOURS[i]}"`;
    return `<path d="M${at} 18h24" ${style} stroke-width="2"/><text x="${at + 30}" y="22">${escaped(name)}</text>\n`;
  });
  return entries.join("");
}

function drawPanel({ title, x, y, series, linear }) {
  const all = series.flatMap(({ points }) => points);
  const across = scale(
    all.map(([value]) => value),
    MARGIN.left,
    WIDTH - MARGIN.right,
  );
  const up = scale(
    all.map(([, value]) => value),
    HEIGHT - MARGIN.bottom,
    MARGIN.top,
  );
  const [left, right, top, bottom] = [MARGIN.left, WIDTH - MARGIN.right, MARGIN.top, HEIGHT - MARGIN.bottom];
  const parts = [`<text x="${left}" y="${top - 12}" font-weight="bold">${escaped(title)}</text>\n`];
  for (const value of across.decades) {
    const at = across.place(value);
    parts.push(`<path d="M${at} ${top}V${bottom}" stroke="#e5e7eb"/>`);
    parts.push(`<text x="${at}" y="${bottom + 16}" text-anchor="middle">${escaped(x.show(value))}</text>\n`);
  }
  for (const value of up.decades) {
    const at = up.place(value);
    parts.push(`<path d="M${left} ${at}H${right}" stroke="#e5e7eb"/>`);
    parts.push(`<text x="${left - 6}" y="${at + 4}" text-anchor="end">${escaped(y.show(value))}</text>\n`);
  }
  parts.push(`<text x="${(left + right) / 2}" y="${bottom + 36}" text-anchor="middle">${escaped(x.label)}</text>\n`);
  parts.push(`<path d="${linePath(linear, across, up)}" stroke="#6b7280" stroke-dasharray="5 4"/>\n`);
  series.forEach(({ points }, i) => {
    const places = points.map(([a, b]) => `${across.place(a)} ${up.place(b)}`);
    parts.push(`<path d="M${places.join("L")}" fill="none" stroke="${COLOURS[i]}" stroke-width="2"/>`);
    for (const place of places) {
      const [cx, cy] = place.split(" ");
      parts.push(`<circle cx="${cx}" cy="${cy}" r="3" fill="${COLOURS[i]}"/>`);
    }
    parts.push("\n");
  });
  return parts.join("");
}

/** The part of the line y = x · (linear[1] / linear[0]) that the panel shows. */
function linePath([x, y], across, up) {
  const ratio = y / x;
  const low = Math.max(across.low, up.low / ratio);
  const high = Math.min(across.high, up.high / ratio);
  return `M${across.place(low)} ${up.place(low * ratio)}L${across.place(high)} ${up.place(high * ratio)}`;
}

/** Whole decades around the values, from `from` to `to` in the drawing. */
function scale(values, from, to) {
  const low = Math.floor(Math.log10(Math.min(...values)) + 1e-9);
  const high = Math.ceil(Math.log10(Math.max(...values)) - 1e-9);
  const decades = Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i));
  const place = (value) => Number((from + ((Math.log10(value) - low) / (high - low)) * (to - from)).toFixed(1));
  return { low: 10 ** low, high: 10 ** high, decades, place };
}

function escaped(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
