package org.tfminilm.demo

import android.content.Context
import org.tfminilm.ProvenModels

/** Remembers what is proven until the app, and its runtime with it, has another version. */
class StoredProofs(context: Context, private val version: Int = versionOf(context)) : ProvenModels {
    private val stored = context.getSharedPreferences("proven_models", Context.MODE_PRIVATE)

    override fun contains(sha256: String) = stored.getInt(sha256, NEVER) == version

    override fun add(sha256: String) = stored.edit().putInt(sha256, version).apply()

    private companion object {
        const val NEVER = -1

        fun versionOf(context: Context): Int =
            context.packageManager.getPackageInfo(context.packageName, 0).versionCode
    }
}
