"""Every change of a job's state, one SQL statement each. The database's clock alone decides what is over.

    enqueue -> pending -> running -> completed
                  ^          |-----> failed      (permanent, or no attempts left)
                  |          |-----> cancelled   (asked while it ran)
                  |<---------|                   (failed for a passing reason, handed back, lease over)
    pending -> cancelled;  failed | cancelled -> pending (retry)

A token grows with every claim and never shrinks. Whatever a running attempt writes is guarded by HELD: the
job's id, its token, that it runs, and that the lease is not over.
"""

from __future__ import annotations

from tipoff.domain.job import JOB_COLUMNS

CHANNEL = "tipoff_jobs"
"""NOTIFY payloads: the type of a job that waits, or "cancel" when a running one is to stop, or "done <id>" """

HELD = "id = %(id)s and token = %(token)s and status = 'running' and lease_until > clock_timestamp()"

RANK = "extract(epoch from {run_after}) - 60 * {priority}"

ENQUEUE = f"""
with new as (
  insert into job_queue (type, params, priority, run_after, rank, max_attempts, requested_by, parent, dedupe_key,
    request_id)
  select %(type)s, %(params)s, %(priority)s, at, {RANK.format(run_after="at", priority="%(priority)s::int")},
    %(max_attempts)s, %(requested_by)s, %(parent)s, %(dedupe_key)s,
    coalesce(%(request_id)s, (select request_id from job_queue where id = %(parent)s))
  from coalesce(%(run_after)s::timestamptz, clock_timestamp()) as at
  on conflict (dedupe_key) where status in ('pending', 'running') do nothing
  returning id, type
)
select id, true, pg_notify('{CHANNEL}', type) is null from new
union all
select id, false, false from job_queue
where dedupe_key = %(dedupe_key)s and status in ('pending', 'running') and not exists (select 1 from new)
"""
"""A job waits; where one with its key is live, that one is the answer. No row: the live one ended meanwhile.
The request that asked for a job is also that of the jobs it asks for."""

ENQUEUE_MANY = f"""
with new as (
  insert into job_queue (type, params, priority, run_after, rank, max_attempts, requested_by)
  select %(type)s, p, %(priority)s, at, {RANK.format(run_after="at", priority="%(priority)s::int")},
    %(max_attempts)s, %(requested_by)s
  from coalesce(%(run_after)s::timestamptz, clock_timestamp()) as at, unnest(%(params)s::jsonb[]) as p
  returning id
), told as materialized (select pg_notify('{CHANNEL}', %(type)s))
select id from new, told
"""
"""Many jobs of one type without a key wait."""

WAIT_BRIEFLY = "select set_config('lock_timeout', '500ms', true)"
"""In a transaction that must hold nobody up: no lock is waited for longer than half a second."""

IN_ORDER = """
select set_config('enable_sort', 'off', true), set_config('enable_bitmapscan', 'off', true),
  set_config('enable_seqscan', 'off', true)
"""
"""Before a claim, in its transaction: walk the index in its order. The planner, whose statistics lag behind a queue,
would rather sort all that waits for every claim."""

CLAIM = f"""
with next as (
  select id from job_queue
  where status = 'pending' and run_after <= clock_timestamp() and type = any(%(types)s)
  order by rank, id limit %(limit)s for update skip locked
)
update job_queue j set status = 'running', worker = %(worker)s, token = token + 1, attempt = attempt + 1,
  lease_until = clock_timestamp() + make_interval(secs => %(lease)s), started_at = clock_timestamp(),
  progress = 0, progress_at = clock_timestamp(), message = ''
from next where j.id = next.id and j.status = 'pending'
returning {", ".join("j." + name for name in JOB_COLUMNS.split(", "))}
"""
"""The next jobs run under a lease; each begins an attempt, which counts, and takes a new token."""

BEAT = """
update job_queue j set lease_until = clock_timestamp() + make_interval(secs => %(lease)s),
  progress = coalesce(b.progress, j.progress), message = coalesce(b.message, j.message),
  progress_at = case when b.message is null then j.progress_at else clock_timestamp() end
from unnest(%(ids)s::uuid[], %(tokens)s::bigint[], %(progress)s::real[], %(messages)s::text[])
  as b (id, token, progress, message)
where j.id = b.id and j.token = b.token and j.status = 'running' and j.lease_until > clock_timestamp()
returning j.id, j.cancel_requested_at is not null
"""
"""Leases are extended and progress is written; a job that is not in the answer is no longer ours."""

FENCE = f"select 1 from job_queue where {HELD} for share"
"""The last statement of a handler's transaction: no row, roll back. It holds off every other transition."""

COMPLETE = f"""
update job_queue set status = 'completed', result = %(result)s, progress = 100, message = %(message)s, error = null,
  finished_at = clock_timestamp(), worker = null, lease_until = null
where {HELD} returning pg_notify('{CHANNEL}', 'done ' || id)
"""
"""The attempt did its work. A cancel that was asked too late stays on record; what was done is done."""

FAIL = f"""
update job_queue set
  status = s.next, error = %(error)s, worker = null, lease_until = null, progress_at = clock_timestamp(),
  message = case s.next when 'pending' then 'attempt ' || attempt || ' failed, will try again' else %(message)s end,
  started_at = case when s.next = 'pending' then null else started_at end,
  finished_at = case when s.next = 'pending' then null else clock_timestamp() end,
  run_after = case when s.next = 'pending' then s.at else run_after end
from (
  select id as sid, case when cancel_requested_at is not null then 'cancelled'
      when %(transient)s and attempt < max_attempts then 'pending' else 'failed' end as next,
    clock_timestamp() + make_interval(secs => least(%(backoff_cap)s,
      %(backoff)s * 2 ^ least(attempt - 1, 20)) * (0.5 + random() / 2)) as at
  from job_queue where {HELD} for update
) s
where id = s.sid and {HELD}
returning status, pg_notify('{CHANNEL}', case when s.next = 'pending' then type else 'done ' || id end)
"""
"""The attempt failed: for good, or to be tried again after a growing, jittered wait, with its old place in the queue;
cancelled if that was asked."""

CANCELLED = f"""
update job_queue set status = 'cancelled', message = 'cancelled', finished_at = clock_timestamp(), worker = null,
  lease_until = null
where {HELD} and cancel_requested_at is not null returning pg_notify('{CHANNEL}', 'done ' || id)
"""
"""Its process was ended because that was asked."""

RELEASE = f"""
update job_queue set
  status = case when cancel_requested_at is null then 'pending' else 'cancelled' end,
  finished_at = case when cancel_requested_at is null then null else clock_timestamp() end,
  started_at = case when cancel_requested_at is null then null else started_at end,
  attempt = attempt - 1, worker = null, lease_until = null,
  message = case when cancel_requested_at is null then 'handed back by ' || worker else 'cancelled' end
where {HELD} returning pg_notify('{CHANNEL}', type)
"""
"""A worker that stops hands the job back; the attempt is given back too."""

EXPIRED = """
select id, token from job_queue where status = 'running' and lease_until <= clock_timestamp()
order by lease_until limit 100
"""
"""Attempts whose lease ran out. Changes nothing."""

END_CONNECTIONS = """
select pg_terminate_backend(pid) from pg_stat_activity
where application_name = any(%(names)s) and usename = current_user
"""
"""What a lost attempt still has open is ended, so that its locks hold nobody up."""

REAP = f"""
with over as (
  select id, case when cancel_requested_at is not null then 'cancelled'
    when attempt < max_attempts then 'pending' else 'failed' end as next, worker as lost
  from job_queue where id = %(id)s and status = 'running' and lease_until <= clock_timestamp()
  for update skip locked
)
update job_queue j set status = over.next, worker = null, lease_until = null,
  started_at = case when over.next = 'pending' then null else started_at end,
  finished_at = case when over.next = 'pending' then null else clock_timestamp() end,
  error = case when over.next = 'cancelled' then error else jsonb_build_object('kind', 'worker_lost',
    'where', 'worker', 'message',
    format('worker %%s stopped renewing its lease in attempt %%s of %%s', over.lost, attempt, max_attempts)) end,
  message = case over.next when 'cancelled' then 'cancelled' when 'pending' then 'its worker was lost, will run again'
    else 'its worker was lost ' || attempt || ' times' end
from over where j.id = over.id
returning j.id, over.next, over.lost, pg_notify('{CHANNEL}', case when over.next = 'pending' then j.type
  else 'done ' || j.id end)
"""
"""Its lease ran out: back to its place in the queue, or failed when its attempts are used up, or cancelled."""

CANCEL = f"""
update job_queue set
  cancel_requested_at = coalesce(cancel_requested_at, clock_timestamp()),
  status = case when status = 'pending' then 'cancelled' else status end,
  finished_at = case when status = 'pending' then clock_timestamp() end,
  message = case when status = 'pending' then 'cancelled before it began' else message end
where id = %(id)s and status in ('pending', 'running')
returning {JOB_COLUMNS}, pg_notify('{CHANNEL}', case when status = 'running' then 'cancel' else 'done ' || id end)
"""
"""One that waits is cancelled; one that runs is asked to stop, and its worker ends it. No row: unknown or final."""

RETRY = f"""
update job_queue set status = 'pending', attempt = 0, error = null, progress = 0, cancel_requested_at = null,
  started_at = null, finished_at = null, progress_at = null, message = 'to be tried again',
  run_after = clock_timestamp(), rank = {RANK.format(run_after="clock_timestamp()", priority="priority")}
where id = %(id)s and status in ('failed', 'cancelled')
returning {JOB_COLUMNS}, pg_notify('{CHANNEL}', type)
"""
"""One that failed or was cancelled waits again with all its attempts; steps that were completed stay so."""

CLEANUP = """
with kept as (
  select id, row_number() over (order by finished_at desc, id) as place from job_queue where finished_at is not null
), gone as (
  delete from job_queue j using kept k
  where j.id = k.id
    and (k.place > %(keep)s or j.finished_at < clock_timestamp() - make_interval(secs => 86400 * %(days)s))
    and not exists (select 1 from job_queue c where c.parent = j.id and c.finished_at is null)
  returning 1
)
select count(*) from gone
"""
"""Final jobs beyond an age or a number go, with their steps and log lines."""

LOOK = """
select
  exists (select 1 from job_queue where status = 'running' and lease_until <= clock_timestamp()),
  exists (select 1 from job_queue
    where status = 'pending' and run_after <= clock_timestamp() and type = any(%(types)s)),
  exists (select 1 from job_schedules where enabled and next_at <= clock_timestamp() and type = any(%(known)s)),
  array(select id from job_queue where id = any(%(running)s::uuid[]) and cancel_requested_at is not null)
"""
"""What there is to do: leases over, jobs waiting, schedules due, and which of ours are to stop. Changes nothing."""

LOG = f"""
insert into job_logs (job_id, token, number, attempt, line)
select id, token, l.number, attempt, l.line
from job_queue, unnest(%(numbers)s::int[], %(lines)s::text[]) as l (number, line)
where ({HELD}) or (id = %(id)s and token = %(token)s and status = 'completed')
on conflict do nothing
"""
"""Lines that the attempt's process wrote; also after it completed the job in a transaction of its own."""

PRESENT = """
insert into job_workers (name, host, pid, version, types, concurrency, running)
values (%(name)s, %(host)s, %(pid)s, %(version)s, %(types)s, %(concurrency)s, %(running)s)
on conflict (name) do update
  set running = excluded.running, seen_at = clock_timestamp()
"""
"""A worker lives."""

LEAVE = "delete from job_workers where name = %(name)s"
"""A worker has stopped."""
