// The model of one map: weights, a vector for every bin, and the log of its training.
process TRAIN_MODEL {
    tag "${meta.id}"
    label 'heavy'
    label 'gpu'

    input:
    tuple val(meta), path(map)

    output:
    tuple val(meta), path("${meta.id}.model.pt"), emit: model
    tuple val(meta), path("${meta.id}.representations.parquet"), emit: representations
    path "${meta.id}.representations.h5ad", emit: h5ad
    path "${meta.id}.*.{json,tsv,svg}", emit: report

    script:
    // A second attempt goes on from the checkpoints of the first.
    def earlier = task.previousTrace?.workdir
    // Several GPUs: one process each, on its share of the contacts.
    def gpus = task.accelerator?.request ?: 0
    def together = gpus > 1 ? "torchrun --standalone --nproc-per-node ${gpus} --no-python" : ''
    def threads = Math.max(1, task.cpus.intdiv(Math.max(1, gpus)))
    """
    ${together} train_model.py --contacts ${map} --model ${params.model} --epochs ${params.epochs} --seed ${params.seed} \\
        --representation-size ${params.representation_size} --max-distance ${params.max_distance} \\
        ${params.least_steps ? "--least-steps ${params.least_steps}" : ''} \\
        --threads ${threads} --device ${task.accelerator ? 'cuda' : 'cpu'} ${earlier ? "--resume-from ${earlier}" : ''} \\
        ${task.ext.args ?: ''}
    """

    stub:
    """
    touch ${meta.id}.model.pt ${meta.id}.representations.{parquet,h5ad} ${meta.id}.training.tsv ${meta.id}.train.metrics.tsv
    """
}
