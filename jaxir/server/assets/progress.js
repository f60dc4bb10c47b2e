/* What a job says of itself, in words. */

export const ended = (job) => ["done", "failed", "cancelled"].includes(job.status);

export function duration(seconds) {
  if (seconds < 1.5) return "a second";
  if (seconds < 90) return `${Math.round(seconds)} seconds`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} minutes`;
  return `${Math.round(seconds / 3600)} hours`;
}

/* A line for the list. */
export function line(job, before) {
  switch (job.status) {
    case "queued":
      return before ? `Waiting, ${before} before it` : "Waiting";
    case "running":
      return job.total ? `${percent(job)} %` : "Preparing";
    case "done":
      return `Done in ${duration(job.seconds)}`;
    case "failed":
      return "Failed";
    default:
      return "Cancelled";
  }
}

export const percent = (job) => Math.floor((100 * job.done) / job.total);

/* A sentence for the one that is looked at. */
export function pace(job, before) {
  if (job.stopping && !ended(job)) return "Stopping at the next step";
  if (job.status === "queued") return `${line(job, before)}.`;
  if (!job.total) return "Preparing: the first photo of a size takes longer.";
  if (job.done === job.total) return "Writing it";
  const steps = `Step ${job.done} of ${job.total}`;
  return job.left === null ? steps : `${steps}, about ${duration(job.left)} left`;
}
