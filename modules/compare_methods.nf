// Other representations and decoders on the same map: Hi-C-LSTM beside SNIPER, SCI, PCA and subcompartments.
process COMPARE_METHODS {
    tag "${meta.id}"
    label 'heavy'

    input:
    tuple val(meta), path(map), path(models), path(others), path(subcompartments, stageAs: 'subcompartments/*')

    output:
    path "${meta.id}.compare*.{json,tsv,svg}", emit: report

    script:
    """
    compare_methods.py --contacts ${map} --seed ${params.seed} --threads ${task.cpus} \\
        --representation-size ${params.representation_size} \\
        ${models ? "--model ${models}" : ''} ${others ? "--against ${others}" : ''} \\
        ${subcompartments ? "--subcompartments ${subcompartments}" : ''} ${task.ext.args ?: ''}
    """

    stub:
    """
    touch ${meta.id}.compare.metrics.tsv
    """
}
