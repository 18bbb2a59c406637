// A line over time, drawn by uPlot as wide as there is room.
import { html, useEffect, useRef } from "../vendor/preact.js";

const HEIGHT = 150;
const ofDay = (s) => new Date(s * 1000).toTimeString().slice(0, 8);

function optionsFor(width, label, style) {
  const tone = (name) => style.getPropertyValue(name).trim();
  const ink = tone("--ink-soft");
  const line = tone("--line");
  const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
  return {
    width,
    height: HEIGHT,
    padding: [null, 32, null, null], // half of the last time below
    legend: { show: false },
    cursor: { show: false },
    scales: { y: { range: (_u, _low, high) => [0, Math.max(5, high * 1.15)] } },
    axes: [{ ...axis, values: (_u, ticks) => ticks.map(ofDay) }, { ...axis, size: 44 }],
    series: [{}, { label, stroke: tone("--accent"), width: 2, fill: tone("--accent-wash"), points: { show: false } }],
  };
}

// `times`: seconds since 1970, ascending; `values`: one each. `said`: the same for who can't see it.
export function Line({ times, values, label, said }) {
  const place = useRef(null);
  const plot = useRef(null);
  useEffect(() => {
    const style = getComputedStyle(document.documentElement);
    plot.current = new uPlot(optionsFor(place.current.clientWidth, label, style), [times, values], place.current);
    const watch = new ResizeObserver(([{ contentRect }]) => plot.current.setSize({ width: contentRect.width, height: HEIGHT }));
    watch.observe(place.current);
    return () => {
      watch.disconnect();
      plot.current.destroy();
    };
  }, []);
  useEffect(() => plot.current.setData([times, values]), [times, values]);
  return html`<figure class="chart"><figcaption>${label}</figcaption><div ref=${place} role="img" aria-label=${said}></div></figure>`;
}
