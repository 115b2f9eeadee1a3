"""The verbs ``train -m`` and ``submit``: what their help says, and where they are carried out."""

from iwm_core.interfaces.commands import Command

VERBS = [
    Command(
        name="train -m",
        run="iwm_cluster.commands:run_sweep",
        forms={
            "train -m recipe=NAME key=a,b …": "a sweep: one run for each combination",
        },
        more=("-m --jobs 4 runs four jobs at a time, each on a device of its own. What has not finished goes on by the same command.",),
        examples=("iwm train -m recipe=quickstart predictor=feature,none",),
    ),
    Command(
        name="submit",
        run="iwm_cluster.commands:run_submit",
        forms={
            "submit [--OPTION VALUE …] VERB …": "a command as a job of SLURM, such as train, resume, tune",
            "submit --array [--OPTION VALUE …] VERB …": "the jobs of train -m or compare, as an array of SLURM",
        },
        more=(
            "Options come before the verb and are sbatch's own: --partition, --account, --qos, --constraint, --gres, --mem, --exclude,\n"
            "--nodelist, --reservation, --nodes, --ntasks-per-node, --gpus-per-node, --cpus-per-task, --time (24:00:00).\n"
            "There is one process per task, and one task per GPU where --gpus-per-node is given.",
            "--warning 120: seconds before its time is over at which a job is warned; it writes a checkpoint, is queued again, goes on.\n"
            "--requeues 20: how often it may. --setup 'module load cuda': a command before it begins; may be given several times.",
            "--wait ends with the job, and in its status. --jobs 4: how many jobs of an array run at a time. --logs runs/jobs: where they\n"
            "say how they go. --cluster local runs the job on this machine, by submitit's local executor.",
        ),
        examples=(
            "iwm submit --partition gpu --gpus-per-node 8 --cpus-per-task 9 train recipe=repro/imagenette size=gpu",
            "iwm submit --partition gpu --nodes 2 --gpus-per-node 8 --time 8:00:00 resume runs/imagenette",
            "iwm submit --array --partition gpu --gpus-per-node 1 train -m recipe=quickstart train.seed=1,2,3",
        ),
    ),
]
