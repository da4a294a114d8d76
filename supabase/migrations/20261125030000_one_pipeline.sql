-- Two pipelines cannot be live at once, whoever enqueues them: each carries the key that may be live only once.
alter table public.job_queue add constraint pipeline_has_its_key
  check (type <> 'data_pipeline' or dedupe_key is not distinct from 'data_pipeline');
