// A trained model tuned on a new, small map: what that is worth beside training from scratch, and deletions foretold from it.
process TRANSFER_MODEL {
    tag "${meta.id}"
    label 'light'

    input:
    tuple val(meta), path(map), path(base, stageAs: 'base/*'), path(against, stageAs: 'against/*'), path(noiseless, stageAs: 'noiseless/*'), path(variants, stageAs: 'variants/*'), path(after, stageAs: 'after/*'), path(truth, stageAs: 'truth/*')

    output:
    tuple val(meta), path("${meta.id}.transfer.model.pt"), emit: model, optional: true
    path "${meta.id}.transfer.mcool", emit: maps, optional: true
    path "${meta.id}.*.{json,tsv,svg}", emit: report

    script:
    def given = [
        '--fractions': meta.fractions, '--chromosomes': meta.chromosomes, '--against': against, '--truth': noiseless, '--variants': variants, '--after': after,
        '--true-genome': truth
    ].findAll { _option, value -> value }.collect { option, value -> "${option} ${value}" }
    """
    transfer_model.py --contacts ${map} --base ${base} --seed ${params.seed} --threads ${task.cpus} ${given.join(' ')} ${task.ext.args ?: ''}
    """

    stub:
    """
    touch ${meta.id}.transfer.metrics.tsv ${meta.fractions ? '' : "${meta.id}.transfer.model.pt"}
    """
}
