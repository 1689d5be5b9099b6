// One balanced, masked contact map from the libraries of a sample, and a record of its quality.
process PREPARE_CONTACTS {
    tag "${meta.id}"
    label 'light'

    input:
    tuple val(meta), path(contacts, stageAs: 'library?/*'), val(inside)

    output:
    tuple val(meta), path("${meta.id}.cool"), emit: map
    path "${meta.id}.*.{json,tsv,svg}", emit: report

    script:
    // `inside` of a file: '', a place such as ::/resolutions/10000, or :: where the next file belongs to it (matrix::bins).
    def files = contacts instanceof List ? contacts : [contacts]
    def libraries = [files, inside].transpose().collect { library, place -> "${library}${place}" }.join(' ').replace(':: ', '::')
    """
    prepare_contacts.py --contacts ${libraries} \\
        --cell-type ${meta.cell_type} --replicate ${meta.replicate} --resolution ${meta.resolution} \\
        --balance ${meta.balance} --probability-scale ${params.probability_scale} \\
        ${params.chromosomes ? "--chromosomes ${params.chromosomes}" : ''} ${meta.assembly ? "--assembly ${meta.assembly}" : ''} \\
        ${task.ext.args ?: ''}
    """

    stub:
    """
    touch ${meta.id}.cool ${meta.id}.qc.json ${meta.id}.prepare.metrics.tsv
    """
}
