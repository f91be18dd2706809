import type { Point } from './trial.ts'

/** Where a process is killed: every hit of every failpoint in what a process has passed. */
export function everyHit(trace: readonly string[]): readonly Point[] {
  const passed = new Map<string, number>()
  return trace.map((name) => {
    const hit = (passed.get(name) ?? 0) + 1
    passed.set(name, hit)
    return { name, hit }
  })
}

/** From the one to the other a sink is opened, or writes; what is passed there is its own. */
const AT_WORK = [
  { from: 'checkpoint.tidied', to: 'state.loaded' },
  { from: 'batch.held', to: 'batch.written' },
]

/**
 * Of every hit those within the sink, and those between the steps of a batch.
 *
 * The others, within the checkpoint and the start, leave a sink in no other state than one of these does: for it there
 * is a batch that came and comes again, or does not. A checkpoint that is killed there does not know the sink.
 */
export function stepsOfSink(trace: readonly string[]): readonly Point[] {
  let end: string | undefined
  const isOwn = trace.map((name) => {
    if (name === end) end = undefined
    end ??= AT_WORK.find(({ from }) => from === name)?.to
    return end !== undefined || name.startsWith('batch.')
  })
  return everyHit(trace).filter((_, at) => isOwn[at])
}
