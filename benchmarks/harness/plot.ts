import type { Plot } from './benchmark.ts'

const WIDTH = 720
const HEIGHT = 320
const MARGIN = { top: 48, right: 16, bottom: 44, left: 64 }
/** Readable on white and on black. */
const COLOURS = ['#2a78d6', '#e0831a', '#3d9970', '#8e5bd0']
const INK = '#808080'

/** Grouped bars from zero, as an SVG document. */
export function svg({ title, unit, groups, series }: Plot): string {
  const top = niceCeiling(Math.max(...series.flatMap(({ values }) => values)))
  const width = WIDTH - MARGIN.left - MARGIN.right
  const height = HEIGHT - MARGIN.top - MARGIN.bottom
  const y = (value: number): number => MARGIN.top + height * (1 - value / top)
  const groupWidth = width / groups.length
  const barWidth = Math.min(56, (groupWidth * 0.8) / series.length)
  const marks: string[] = [text(MARGIN.left, 18, title, 'start', 14)]
  for (let tick = 0; tick <= 4; tick++) {
    const value = (top * tick) / 4
    marks.push(
      `<line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${y(value)}" y2="${y(value)}" stroke="${INK}" stroke-opacity="0.3"/>`,
      text(MARGIN.left - 8, y(value) + 4, label(value), 'end'),
    )
  }
  series.forEach(({ name, values }, s) => {
    const colour = COLOURS[s % COLOURS.length]
    const keyX = MARGIN.left + s * 170
    marks.push(
      `<rect x="${keyX}" y="26" width="10" height="10" fill="${colour}"/>`,
      text(keyX + 15, 35, name, 'start'),
    )
    values.forEach((value, g) => {
      const left = MARGIN.left + groupWidth * (g + 0.5) + barWidth * (s - series.length / 2)
      const barHeight = MARGIN.top + height - y(value)
      marks.push(
        `<rect x="${fixed(left)}" y="${fixed(y(value))}" width="${fixed(barWidth - 2)}" height="${fixed(barHeight)}" fill="${colour}"/>`,
        text(left + barWidth / 2 - 1, y(value) - 4, label(value), 'middle', 10),
      )
    })
  })
  groups.forEach((group, g) => {
    marks.push(text(MARGIN.left + groupWidth * (g + 0.5), HEIGHT - 22, group, 'middle'))
  })
  marks.push(text(MARGIN.left, HEIGHT - 4, unit, 'start'))
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(title)}">`,
    ...marks.map((mark) => `  ${mark}`),
    '</svg>\n',
  ].join('\n')
}

function text(x: number, y: number, words: string, anchor: string, size = 12): string {
  return `<text x="${fixed(x)}" y="${fixed(y)}" text-anchor="${anchor}" font-family="sans-serif" font-size="${size}" fill="${INK}">${escaped(words)}</text>`
}

/** The next of 1, 2, 4, 8 times a power of ten, so that four ticks have short labels. */
function niceCeiling(value: number): number {
  if (!(value > 0)) return 1
  const power = 10 ** Math.floor(Math.log10(value))
  return ([1, 2, 4, 8, 10].find((step) => step * power >= value) ?? 10) * power
}

function label(value: number): string {
  if (value >= 1000) return String(Math.round(value))
  return String(Number(value.toPrecision(3)))
}

function fixed(value: number): string {
  return value.toFixed(1)
}

function escaped(words: string): string {
  return words
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
