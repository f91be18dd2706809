import { signatureOf } from '../user-functions.ts'
import type { Analysis } from './analysis.ts'
import type { Expression } from './ast.ts'
import { baseTable, selectQuery } from './ast.ts'
import type { Program } from './incremental.ts'
import type { Step } from './operators/operator.ts'
import { describePayload } from './payload.ts'
import type { PayloadStage } from './payload-stage.ts'
import { childrenOf, type Plan } from './plan.ts'

/** A plan as an indented tree, one node a line, stable enough to be compared with a golden file. */
export async function explainPlan(plan: Plan, analysis: Analysis): Promise<string> {
  const lines: string[] = []
  const add = async (node: Plan, depth: number): Promise<void> => {
    lines.push(`${'  '.repeat(depth)}${await describeNode(node, analysis)}`)
    for (const child of childrenOf(node)) await add(child, depth + 1)
  }
  await add(plan, 0)
  for (const each of await analysis.userFunctionsIn(plan))
    lines.push(`Local ${signatureOf(each)}: TypeScript, which runs in this process only`)
  return lines.join('\n')
}

/** The statements that run for every micro-batch, in their order. */
export function explainProgram(program: Program): string {
  const lines = program.snapshots.map(({ read }) => `read    ${read}`)
  const attached = program.sources.flatMap(({ input, table, payload }) => [
    `attach  ${(payload?.rest ?? payload?.whole)?.raw ?? table} = ${input.description}`,
    ...(payload ? parsingLines(payload) : []),
    ...(payload?.badRecords ? [`bad     ${payload.badRecords.keep}`] : []),
  ])
  lines.push(...attached)
  for (const { prepare, column, delayMs } of program.watermarks) {
    lines.push(`keep    ${prepare}`, `time    ${column}, late after ${delayMs} ms`)
  }
  for (const operator of program.operators) {
    lines.push(`state   ${operator.name}: ${operator.keeps}`)
    lines.push(...operator.run.map(lineOf))
    if (operator.changed !== '') lines.push(`save    ${operator.changed}`)
  }
  lines.push(`emit    ${program.emit}`)
  lines.push(
    ...program.operators.flatMap((operator) => operator.evict.map((statement) => `evict   ${statement}`)),
  )
  return lines.join('\n')
}

/** Of records that are read as they are attached, DuckDB parses only what is left, and most often nothing is. */
function parsingLines({ whole, rest, view }: PayloadStage): readonly string[] {
  const parses = rest ? [`parse   ${rest.nothing}`, `rest    ${rest.careful}`] : [`parse   ${whole.careful}`]
  return [...parses, `parse   ${view}`]
}

function lineOf(step: Step): string {
  if (typeof step === 'string') return `run     ${step}`
  return 'code' in step ? `local   ${step.code}` : `run     ${step.returning} -> ${step.into}`
}

async function describeNode(node: Plan, analysis: Analysis): Promise<string> {
  const print = async (items: readonly Expression[]) => {
    const texts = await analysis.sql.printExpressions(items)
    return texts
      .map((text, i) =>
        items[i]!.alias === '' || items[i]!.alias === text ? text : `${text} AS ${items[i]!.alias}`,
      )
      .join(', ')
  }
  switch (node.kind) {
    case 'scan':
      return `Scan ${node.input.description}${node.input.payload ? ` as ${describePayload(node.input.payload)}` : ''}`
    case 'static':
      return `Static ${(await analysis.sql.print(selectQuery({ from_table: node.ref }))).replace(/^SELECT \* FROM /, '')}`
    case 'alias':
      return `Alias ${node.name}${node.columns.length > 0 ? `(${node.columns.join(', ')})` : ''}`
    case 'watermark':
      return `Watermark ${node.column}, ${node.delayMs} ms`
    case 'dedup':
      return `Dedup ${node.keys.length > 0 ? `by ${node.keys.join(', ')}` : 'by all columns'}${node.withinMs === undefined ? '' : ' within the watermark'}`
    case 'top-n': {
      const partition = await print(node.partition)
      const query = selectQuery({
        from_table: baseTable('t'),
        modifiers: [{ type: 'ORDER_MODIFIER', orders: node.orders }],
      })
      const order = (await analysis.sql.print(query)).replace(/^SELECT \* FROM t ?/, '')
      return `TopN ${node.limit}${partition ? ` by ${partition}` : ''} ${order}`.trimEnd()
    }
    case 'filter':
      return `Filter ${await print([node.predicate])}`
    case 'project':
      return `Project ${await print(node.items)}`
    case 'join': {
      const on = node.ref.condition ? ` ON ${await print([node.ref.condition])}` : ''
      const using = node.ref.using_columns.length > 0 ? ` USING (${node.ref.using_columns.join(', ')})` : ''
      return `Join ${node.ref.join_type.toLowerCase()}${on}${using}`
    }
    case 'stream-join':
      return `StreamJoin ${node.type.toLowerCase()} ON ${await print([node.condition])}`
    case 'union':
      return 'Union all'
    case 'aggregate': {
      const keys = await print(node.keys.map((key) => key.expression))
      const calls = await print(node.calls.map((each) => each.call))
      return `Aggregate${keys ? ` by ${keys}` : ''}: ${calls || 'no calls'}`
    }
    case 'map-groups': {
      const { name, output, stateType, timeout, mode } = node.mapping
      const columns = output.map((field) => `${field.name} ${field.type}`).join(', ')
      const keys = node.keys.map((key) => key.name).join(', ')
      return `MapGroups by ${keys}: ${columns}; state ${stateType}, timeout ${timeout}, ${mode} mode; ${name} is TypeScript, which runs in this process only`
    }
    case 'arrange': {
      const query = selectQuery({ from_table: baseTable('t'), modifiers: node.modifiers })
      return `Arrange ${(await analysis.sql.print(query)).replace(/^SELECT \* FROM t /, '')}`
    }
  }
}
