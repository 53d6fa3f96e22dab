import org.jetbrains.kotlin.gradle.dsl.JvmTarget

plugins {
    alias(libs.plugins.kotlin.jvm)
}

kotlin { compilerOptions { jvmTarget.set(JvmTarget.JVM_1_8) } }

java {
    sourceCompatibility = JavaVersion.VERSION_1_8
    targetCompatibility = JavaVersion.VERSION_1_8
}

// R8 finds the rules for a jar's users in it.
tasks.jar {
    from("consumer-rules.pro") {
        into("META-INF/proguard")
        rename { "tfminilm-tokenizers.pro" }
    }
}

// The tests use parts of the other modules: they run in `app`.
sourceSets { test { kotlin.setSrcDirs(emptyList<String>()) } }
