// Drawn on the canvas over and under the series: region of the future, limits, events, now.
const LABEL_GAP = 6; // px between two event labels

function pen(context, colour, width, dash) {
  context.strokeStyle = colour;
  context.fillStyle = colour;
  context.lineWidth = width;
  context.setLineDash(dash);
}

function line(context, x1, y1, x2, y2) {
  context.beginPath();
  context.moveTo(x1, y1);
  context.lineTo(x2, y2);
  context.stroke();
}

function words(ctx, text, x, y, ratio, token) {
  ctx.save();
  ctx.setLineDash([]);
  ctx.lineJoin = "round";
  ctx.lineWidth = 4 * ratio; // a rim, so that lines and points below do not cross the letters
  ctx.strokeStyle = token("--surface");
  ctx.strokeText(text, x, y);
  ctx.restore();
  ctx.fillText(text, x, y);
}

function inside(u, action) {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, 0, bbox.width, bbox.top + bbox.height);
  ctx.clip();
  action(ctx, bbox, devicePixelRatio || 1);
  ctx.restore();
}

function drawLimits(u, ctx, box, ratio, spec, token) {
  for (const limit of spec.limits ?? []) {
    const y = Math.round(u.valToPos(limit.value, "y", true));
    if (y < box.top || y > box.top + box.height) continue;
    pen(ctx, token(`--${limit.tone ?? "bad"}`), 1.5 * ratio, [8 * ratio, 4 * ratio]);
    line(ctx, box.left, y, box.left + box.width, y);
    ctx.textAlign = "left";
    ctx.textBaseline = y - box.top < 16 * ratio ? "top" : "bottom";
    words(ctx, limit.label, box.left + 6 * ratio, y + (ctx.textBaseline === "top" ? 3 : -3) * ratio, ratio, token);
  }
}

function drawEvents(u, ctx, box, ratio, spec, token) {
  let free = box.left;
  pen(ctx, token("--chart-event"), ratio, [2 * ratio, 3 * ratio]);
  ctx.textAlign = "left";
  ctx.textBaseline = "bottom";
  const events = [...(spec.events ?? [])].sort((a, b) => a.time - b.time);
  for (const [at, event] of events.entries()) {
    const x = Math.round(u.valToPos(event.time, "x", true));
    if (x < box.left || x > box.left + box.width) continue;
    line(ctx, x, box.top, x, box.top + box.height);
    ctx.beginPath();
    ctx.moveTo(x - 4 * ratio, box.top - 6 * ratio);
    ctx.lineTo(x + 4 * ratio, box.top - 6 * ratio);
    ctx.lineTo(x, box.top);
    ctx.fill();
    const width = ctx.measureText(event.label).width;
    const next = events[at + 1] ? u.valToPos(events[at + 1].time, "x", true) : Infinity;
    if (x + 10 * ratio + width > next) continue; // the next mark stands where the words would
    if (x + 6 * ratio < free || x + 6 * ratio + width > box.left + box.width) continue;
    ctx.fillText(event.label, x + 6 * ratio, box.top - 1 * ratio);
    free = x + 6 * ratio + width + LABEL_GAP * ratio;
  }
}

function drawNow(u, ctx, box, ratio, spec, token) {
  if (spec.now === null || spec.now === undefined) return;
  const x = Math.round(u.valToPos(spec.now, "x", true));
  if (x < box.left || x > box.left + box.width) return;
  pen(ctx, token("--chart-now"), 1.5 * ratio, []);
  line(ctx, x, box.top, x, box.top + box.height);
  const width = ctx.measureText("now").width;
  const isRight = x + width + 8 * ratio > box.left + box.width;
  ctx.textAlign = isRight ? "right" : "left";
  ctx.textBaseline = "bottom";
  words(ctx, "now", x + (isRight ? -4 : 4) * ratio, box.top + box.height - 3 * ratio, ratio, token);
}

export function addOverlays(spec, token) {
  const font = (ratio) => `${11 * ratio}px ${token("--font")}`;
  return {
    headroom: spec.events?.length ? 20 : 10,
    below(u) {
      if (spec.now === null || spec.now === undefined) return;
      inside(u, (ctx, box) => {
        const x = Math.max(box.left, u.valToPos(spec.now, "x", true));
        ctx.fillStyle = token("--chart-future");
        ctx.fillRect(x, box.top, box.left + box.width - x, box.height);
      });
    },
    above(u) {
      inside(u, (ctx, box, ratio) => {
        ctx.font = font(ratio);
        drawLimits(u, ctx, box, ratio, spec, token);
        drawEvents(u, ctx, box, ratio, spec, token);
        drawNow(u, ctx, box, ratio, spec, token);
      });
    },
  };
}
