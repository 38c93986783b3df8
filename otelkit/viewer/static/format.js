// Numbers and times, as people read them.

export function duration(ms) {
  if (ms < 1) return `${Math.round(ms * 1000)} µs`;
  if (ms < 1000) return `${Number(ms.toPrecision(3))} ms`;
  if (ms < 60_000) return `${Number((ms / 1000).toPrecision(3))} s`;
  const minutes = Math.floor(ms / 60_000);
  return minutes < 60
    ? `${minutes} min ${Math.floor((ms % 60_000) / 1000)} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function clock(nanoseconds, withMilliseconds = false) {
  const date = new Date(Number(nanoseconds) / 1e6);
  const time = date.toLocaleTimeString("en-GB");
  const day = date.toDateString() === new Date().toDateString() ? "" : `${isoDay(date)} `;
  const rest = withMilliseconds ? `.${String(date.getMilliseconds()).padStart(3, "0")}` : "";
  return day + time + rest;
}

function isoDay(date) {
  const two = (number) => String(number).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

export function moment(nanoseconds) {
  return new Date(Number(nanoseconds) / 1e6).toISOString().replace("T", " ").replace("Z", " UTC");
}

export function count(number) {
  return Number(number).toLocaleString("en-US");
}

export function plural(number, noun) {
  return `${count(number)} ${noun}${Number(number) === 1 || noun.endsWith("s") ? "" : "s"}`;
}

export function tokens(input, output) {
  return `${count(input)} → ${count(output)}`;
}

export function dollars(amount) {
  if (amount === 0) return "$0";
  if (amount < 0.000001) return "<$0.000001";
  return amount < 1 ? `$${Number(amount.toPrecision(3)).toFixed(decimals(amount))}` : `$${amount.toFixed(2)}`;
}

function decimals(amount) {
  return Math.min(8, Math.max(2, 2 - Math.floor(Math.log10(amount))));
}

export function measured(value) {
  if (typeof value !== "number") return String(value ?? "–");
  return Number.isInteger(value) ? count(value) : String(Number(value.toPrecision(4)));
}
