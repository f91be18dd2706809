import type { Clock } from '../../clock.ts'
import { LEDGER, type ManifestFile, type Merged, mergedEntry, type Replaced } from '../../files/manifest.ts'
import { dataFileName, ownerTag } from './data-file.ts'
import type { Ledger } from './ledger.ts'
import type { MergeSettings } from './options.ts'
import type { Place, StagedFile } from './place.ts'

export interface MergeParts {
  readonly place: Place
  readonly ledger: Ledger
  readonly clock: Clock
  readonly queryId: string
}

/**
 * Merges the small files of an output and records what replaces what in one step: readers of the ledger see each row
 * once, before it and after it. Replaced files stay for readers that began before; a later merge removes them.
 *
 * @param stage an empty directory
 * @param write merges files of this machine into one
 */
export async function mergeFiles(
  parts: MergeParts,
  { targetBytes, keepReplacedMs }: MergeSettings,
  extension: string,
  stage: string,
  write: (files: readonly string[], target: string) => Promise<void>,
): Promise<void> {
  const { place, ledger, clock, queryId } = parts
  const before = await ledger.merged()
  const through = await ledger.lastBatch()
  const live = [...(before?.files ?? [])]
  for (let batchId = (before?.through ?? -1) + 1; batchId <= through; batchId++) {
    live.push(...((await ledger.manifest(batchId))?.files ?? []))
  }
  const groups = groupsOf(live, targetBytes)
  if (groups.length === 0 || through === before?.through) return
  const [owner, attempt] = [ownerTag(queryId), clock.uuid()]
  const staged: StagedFile[] = []
  for (const [index, group] of groups.entries()) {
    const file = `${stage}/${index}`
    const name = dataFileName('merged', through, owner, attempt, index, extension)
    await place.withLocal(
      group.map(({ path }) => path),
      (files) => write(files, file),
    )
    staged.push({ file, path: folderOf(group[0]?.path ?? '') + name })
  }
  const brought = await place.bring(mergedEntry(through), staged)
  const gone = new Set(groups.flat().map(({ path }) => path))
  const merged: Merged = {
    queryId,
    through,
    files: [...live.filter(({ path }) => !gone.has(path)), ...brought],
    replaced: [
      ...(await expire(place, before?.replaced ?? [], clock.now() - keepReplacedMs)),
      ...[...gone, ...overtaken(before, through)].map((path) => ({ path, atMs: clock.now() })),
    ],
  }
  if ((await ledger.recordMerge(merged)) === 'exists') await place.remove(brought.map(({ path }) => path))
  await place.settle(ledger)
}

/** Small files of one folder that together are no larger than the target, two at least, in their order. */
function groupsOf(files: readonly ManifestFile[], targetBytes: number): readonly (readonly ManifestFile[])[] {
  const groups: ManifestFile[][] = []
  const open = new Map<string, { files: ManifestFile[]; bytes: number }>()
  for (const file of files) {
    if (file.bytes * 2 > targetBytes) continue
    const folder = folderOf(file.path)
    const group = open.get(folder)
    if (group && group.bytes + file.bytes <= targetBytes) {
      group.files.push(file)
      group.bytes += file.bytes
    } else {
      const next = { files: [file], bytes: file.bytes }
      open.set(folder, next)
      groups.push(next.files)
    }
  }
  return groups.filter(({ length }) => length > 1)
}

/** Removes what was replaced before that time. @returns the rest */
async function expire(
  place: Place,
  replaced: readonly Replaced[],
  beforeMs: number,
): Promise<readonly Replaced[]> {
  const isOver = ({ atMs }: Replaced) => atMs < beforeMs
  await place.remove(replaced.filter(isOver).map(({ path }) => path))
  return replaced.filter((each) => !isOver(each))
}

/** Entries that say nothing any more once there is a merge through that batch. */
function overtaken(before: Merged | undefined, through: number): readonly string[] {
  const first = (before?.through ?? -1) + 1
  const batches = Array.from({ length: through - first + 1 }, (_, index) => String(first + index))
  return [...(before ? [mergedEntry(before.through)] : []), ...batches].map((entry) => `${LEDGER}/${entry}`)
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/') + 1)
}
