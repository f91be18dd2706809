import type { OptionTable } from '../../src/options.ts'

/** An option table as the Markdown that docs show; the docs' tests hold the pages against it. */
export function optionRows(table: OptionTable): string {
  const rows = Object.entries(table).map(([name, spec]) => {
    const given = spec.required ? 'required' : spec.default === undefined ? '' : `\`${spec.default}\``
    const kind = spec.oneOf ? spec.oneOf.map((value) => `\`${value}\``).join(', ') : spec.kind
    const aliases = (spec.aliases ?? []).map((alias) => `\`${alias}\``).join(', ')
    const what = aliases ? `${spec.doc}. Also written ${aliases}` : spec.doc
    return `| \`${name}\` | ${kind} | ${given} | ${what.replaceAll('|', '\\|')} |`
  })
  return ['| option | kind | default | what |', '| --- | --- | --- | --- |', ...rows].join('\n')
}
