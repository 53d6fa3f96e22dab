package org.tfminilm.demo

import java.lang.ref.SoftReference
import org.tfminilm.BundleFiles
import org.tfminilm.BundleManifest
import org.tfminilm.ModelBundle

/** A bundle that the user can choose. */
class AvailableModel(
    /** Of its folder. */
    val name: String,
    val manifest: BundleManifest,
    val facts: ModelFacts,
    /** Whether a user brought it, and may delete it. */
    val isAdded: Boolean,
    private val files: BundleFiles,
) {
    private var opened: SoftReference<ModelBundle>? = null

    val title: String get() = inWords(name)

    val bytes: Long get() = manifest.files.values.sumOf { it.bytes }

    val sha256: String get() = manifest.files.getValue(BundleManifest.MODEL).sha256

    /** Opened and checked once, as long as there is memory for it. */
    @Synchronized
    fun bundle(): ModelBundle = opened?.get()
        ?: ModelBundle.open(files).also { opened = SoftReference(it) }

    override fun toString() = title
}

/** What a manifest tells beside what an app needs to run the model. */
class ModelFacts(
    /** What it was trained on; null where the manifest does not say. */
    val trainedOn: String?,
    /** What it scored, by the names of the measures. */
    val scores: Map<String, Double>,
)
