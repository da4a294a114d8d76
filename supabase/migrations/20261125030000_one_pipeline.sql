-- Two pipelines cannot be live at once, whoever enqueues them and with whatever key.
create unique index job_queue_one_pipeline on public.job_queue (type)
  where type = 'data_pipeline' and status in ('pending', 'running');
